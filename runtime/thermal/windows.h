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
  };
  std::vector<Infer> infer;

  // Of its load; none where the power is unknown or nothing was delivered.
  std::optional<double> energy_per_frame_j() const {
    if (!load || !power_w || delivered == 0) return std::nullopt;
    return *power_w * seconds / static_cast<double>(delivered);
  }
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
};

}  // namespace sluice
