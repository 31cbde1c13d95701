// Models of cameras' kinds that the backend is held to: detectors, text models, and classification networks
// whose files carry no weights.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/backends/gpu/runner.h"

namespace sluice::testing {

struct ZooModel {
  std::string name;  // letters and digits
  std::string path;  // below the checkout
  std::vector<std::int64_t> input;
};

// In order of size.
std::vector<ZooModel> zoo();

// The model's bytes with its input's shape fixed, and weights drawn from a seed where the file only says
// their shape (ConstantOfShape). Empty: the file is missing.
std::string zoo_bytes(const ZooModel& model);

// Its one input, drawn from a seed.
HostTensor zoo_input(const ZooModel& model, const std::string& name, unsigned seed);

}  // namespace sluice::testing
