// Small random models of the backend's operators, for comparison with the CPU provider.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/backends/gpu/runner.h"

namespace sluice::testing {

struct RandomModel {
  std::string model;  // bytes
  std::vector<HostTensor> inputs;
  std::map<std::string, int> operators;  // how often each is in it; ShuffleChannels: three nodes together
  double accumulated = 0;                // longest sum times number of operators: what rounding grows with
};

// The same seed gives the same model. `favour`: an operator to use when it can be (so that rare ones occur).
RandomModel random_model(unsigned seed, const std::string& favour);

// Every operator that random_model can use, and "ShuffleChannels": Reshape, Transpose and Reshape of
// ShuffleNet.
std::vector<std::string> random_operators();

}  // namespace sluice::testing
