// Runs of a policy on a TrueDevice, second by second, as the running pipeline would: it sees sensors and
// latencies.
#pragma once

#include <functional>

#include "inference/selector/selector.h"
#include "tests/inference/selector/true_device.h"

namespace sluice::testing {

struct Outcome {
  double frames = 0;
  int moves = 0;         // changes of backend
  int switches = 0;      // changes of the candidate
  int quick = 0;         // changes within dwell_s of the one before, neither by failure nor by heat limit
  int over_limit_s = 0;  // longest time in a row above max_temperature_c
  double highest_c = 0;
  double highest_10s_w = 0;  // mean over any 10 s
  std::vector<int> trail;    // candidate by second
};

struct RunRequest {
  SelectorPolicy policy;
  bool energies = false;  // energy per inference is known
  bool power = false;     // there is a power sensor
  // Called each second with the decision taken; for tests that look closer.
  std::function<void(double t_s, const SelectorState&, const Decision&)> watch;
};

Outcome run_selector(const TrueDevice& device, const RunRequest& request);
// Always candidate `index`.
Outcome run_fixed(const TrueDevice& device, int index);
// The steps some systems use: the next candidate at 65, 70, 75 and 80 degrees of the hottest sensor; back 5
// below.
Outcome run_temperature_steps(const TrueDevice& device);
// The fastest backend at full speed, as a cool device shows it.
int fastest_candidate(const TrueDevice& device);
// Limits that bind on most devices and that most can keep, from the seed.
double heat_limit_of(const TrueDevice& device);
double power_budget_of(const TrueDevice& device);

}  // namespace sluice::testing
