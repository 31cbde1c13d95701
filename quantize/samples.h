// Where the numbers for statistics and comparisons come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice::quantize {

// What a model takes.
struct InputInfo {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;  // fixed
  // Arrays of this type are taken as they are, too: the integers of a quantised input, which takes numbers.
  std::optional<DType> also = std::nullopt;
};

// One input of the model for one run; owns nothing.
struct SampleInput {
  std::string name;
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;
};
// All inputs of one run, in any order.
using Sample = std::vector<SampleInput>;

// A set that can be gone through more than once; holds one sample at a time.
class Samples {
 public:
  virtual ~Samples() = default;
  // Calls `visit` for each sample in order; its first failure ends the round and is returned. The arrays live
  // during the call only. From any one thread.
  virtual Status for_each(const std::function<Status(const Sample&)>& visit) = 0;
  // How many there will be; none: not known before the first round.
  virtual std::optional<std::size_t> count() const = 0;
};

}  // namespace sluice::quantize
