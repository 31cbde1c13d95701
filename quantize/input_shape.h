// `--shape NAME=DIMS`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sluice::quantize {

// The whole shape of one of the model's inputs.
struct InputShape {
  std::string input;
  std::vector<std::int64_t> dims;
};

}  // namespace sluice::quantize
