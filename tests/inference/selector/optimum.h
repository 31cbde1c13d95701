// The clairvoyant optimum of a TrueDevice: dynamic programming over its own states.
#pragma once

#include <optional>

#include "tests/inference/selector/true_device.h"

namespace sluice::testing {

struct OptimumRequest {
  double dwell_s = 10;
  double grid_c = 0.5;  // cells of a die's temperature; the body's are half as wide
  std::optional<double> max_temperature_c;
  std::optional<double> power_budget_w;
};

struct Optimum {
  bool feasible = false;  // some plan keeps the limits at every second
  double frames = 0;
  std::size_t states = 0;  // most in one stage
};

// Every plan that may change the candidate at multiples of the dwell. States that fall into one cell
// (temperatures, governors' caps, candidate) are merged into the one with the most frames; all states are
// reached ones, so the result is a plan that exists, and a finer grid tells how much merging has cost.
Optimum optimum(const TrueDevice& device, const OptimumRequest& request);

}  // namespace sluice::testing
