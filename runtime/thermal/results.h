// What a thermal test found, as the contract defines it (section 5): pure functions of its windows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/thermal/windows.h"

namespace sluice {

struct ThermalResults {
  std::optional<double> peak_fps;       // best window of min(60 s, a third of the load)
  std::optional<double> sustained_fps;  // median of the last 5 minutes; of the last third below 10 minutes
  std::optional<double> stability;      // sustained / peak
  std::optional<double>
      time_to_10pct_loss_s;  // after a window of 0.9 peak two in a row are below it from here on; none: never
  std::optional<double> worst_fps;
  std::optional<double> worst_at_s;
  std::optional<double> p95_ms;  // the worst window's
  std::optional<double> max_skin_c;
  std::optional<double> energy_per_frame_j;
  std::optional<double> memory_slope_mb_per_min;  // least squares over the load; none: unknown or simulated
  int switches = 0;                               // changes of backend or variant
  std::uint64_t delivered = 0;
};

// One run: one policy (or forced backends), one repetition.
struct ThermalRun {
  std::string policy;
  int repetition = 1;
  double cool_down_s = 0;
  std::string cool_down;  // how it ended, in words
  bool complete = false;  // false: interrupted
  std::vector<ThermalWindow> windows;
  std::vector<std::string> notices;
  std::vector<std::string> simulated_backends;  // of a real run: which of those that ran are, as `fake` is
  ThermalResults results;
  std::optional<std::uint64_t> delivered_said;  // by the file that it was read from
};

// `load_s`: as long as the load was to be.
ThermalResults results_of(const std::vector<ThermalWindow>& windows, double load_s);

// Of all of them, each once.
std::vector<std::string> simulated_backends(const std::vector<ThermalRun>& runs);

struct ThermalThresholds {
  std::optional<double> min_stability, min_fps, max_p95_ms, max_skin_c;
};

// One line per threshold that a run missed, or that cannot be judged because the reading is unknown.
std::vector<std::string> missed(const ThermalRun& run, const ThermalThresholds& thresholds);

// One line per policy whose repetitions' sustained rates differ by more than 5 % of their mean.
std::vector<std::string> disagreements(const std::vector<ThermalRun>& runs);

// Length of the windows of a test: 10 s, or a twelfth of a load below two minutes, but a second at least: a
// run tells no more often.
double window_length_s(double load_s);

}  // namespace sluice
