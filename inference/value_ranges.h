// Which values the inputs and outputs of a run's models take: statistics of the field, for `sluice quantize`.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "inference/value_histogram.h"

namespace sluice {

struct TensorRange {
  std::string model;   // its name in the pipeline
  std::string tensor;  // of the model, not of the pipeline
  ValueHistogram values;
};

// Memory depends on the number of tensors alone. Thread-safe.
class ValueRanges {
 public:
  // Real values: integers of a quantised type count as what they stand for, plain ones as they are. Allocates
  // when a tensor is seen for the first time. `type` is the model's; `tensor` is dense.
  void add(std::string_view model, const TensorType& type, const Tensor& tensor);
  std::vector<TensorRange> ranges() const;  // by model, then tensor

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::map<std::string, ValueHistogram, std::less<>>, std::less<>> tensors_;
};

}  // namespace sluice
