// What a run has counted at one moment: two of them are a window of a thermal test.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/graph/flow_counters.h"
#include "inference/telemetry/readings.h"
#include "runtime/report.h"

namespace sluice {

// How an infer node runs now.
struct InferNow {
  std::string node;
  std::string backend, variant, performance_mode, reason;
  int step = 0;
  std::vector<DecisionReport> decisions;  // so far, as the report has them
  std::uint64_t decisions_left_out = 0;
};

struct RunSnapshot {
  TimeNs at = 0;      // since the start of the run
  bool over = false;  // it is: a simulated device may idle on
  FlowCounters counters;
  std::vector<InferNow> infer;
  std::optional<Readings> readings;  // none: nothing is read
  std::optional<double> energy_j;    // since the start; none: unknown
  std::optional<double> rss_mb;
};

}  // namespace sluice
