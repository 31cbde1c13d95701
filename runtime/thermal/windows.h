// Windows of a thermal test: what happened between two snapshots of a run.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/report.h"
#include "runtime/snapshot.h"

namespace sluice {

struct ThermalWindow {
  double t_s = 0;      // its end, since the load began
  double seconds = 0;  // its length
  bool load = true;    // else recovery
  std::optional<double> fps;
  std::optional<double> p50_ms, p95_ms, p99_ms;
  std::uint64_t delivered = 0;
  std::map<std::string, std::uint64_t> dropped;                 // by reason
  std::array<std::optional<double>, kHeatRoles> temperature_c;  // by HeatRole, at its end
  std::array<std::optional<double>, kUnitRoles> clock_mhz;
  std::optional<double> power_w;  // mean
  std::optional<double> rss_mb;
  struct Infer {
    std::string node, backend, variant, performance_mode;
    int step = 0;
    std::string reason;                   // of the last decision
    std::vector<DecisionReport> changes;  // within the window, in order; `at_s` since the load began
    // What it began on, of the first window of a run and of one that was gone on with.
    std::optional<DecisionReport> first = std::nullopt;
  };
  std::vector<Infer> infer;

  // Of its load; none where the power is unknown or nothing was delivered.
  std::optional<double> energy_per_frame_j() const {
    if (!load || !power_w || delivered == 0) return std::nullopt;
    return *power_w * seconds / static_cast<double>(delivered);
  }
};

// Of a window's length: what is shorter has no rate. Half, less what a machine's seconds are off.
inline constexpr double kLeastPart = 0.45;

// When the windows of a phase end: whole lengths after its beginning, at the first look from then on. A late
// look makes its window longer and no other shorter than half a length; what would be less than that at the
// end of the phase belongs to the window before it.
class WindowEnds {
 public:
  WindowEnds(double length_s, double from_s, double until_s)
      : length_(length_s), until_(until_s), last_(from_s), next_(from_s + length_s) {}
  // A look: whether a window ends here.
  bool look(double t_s);
  // What is left at the end of the phase is a window of its own.
  bool rest_counts(double t_s) const { return t_s - last_ >= length_ * kLeastPart; }

 private:
  static constexpr double kSame = 1e-6;
  double length_, until_, last_, next_;
};

// Makes windows out of consecutive snapshots.
class WindowRecorder {
 public:
  // `first`: at the beginning of the load.
  explicit WindowRecorder(RunSnapshot first) : last_(std::move(first)) {}
  ThermalWindow next(RunSnapshot now, bool load);
  // Readings between two snapshots, for the mean power.
  void sample(const Readings& readings);

 private:
  RunSnapshot last_;
  double power_sum_ = 0;
  int power_samples_ = 0;
  bool begun_ = false;
};

}  // namespace sluice
