// Which values each tensor takes while a float network runs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/value_histogram.h"
#include "quantize/onnx_proto.h"
#include "quantize/samples.h"

namespace sluice::quantize {

struct Statistics {
  std::size_t samples = 0;
  std::map<std::string, ValueHistogram> tensors;  // of every float tensor that is no weight
};

// What is kept of a sample's tensor: its least and greatest value, which is all that a range of everything
// seen needs, or all of them.
enum class Detail : std::uint8_t { kExtremes, kDistribution };

// After each sample: how many so far.
using Progress = std::function<void(std::size_t done)>;

// Runs the prepared model once per sample and looks at every float tensor; memory does not depend on the
// number of samples. kUnavailable: no sample at all; kInvalid: a sample of another size than the model's
// input, or a tensor that holds NaN or infinity (named, with the sample); kFailed: ONNX Runtime.
Result<Statistics> collect(const pb::ModelProto& model, Samples& samples, const Progress& progress,
                           Detail detail = Detail::kDistribution);

}  // namespace sluice::quantize
