// What ONNX Runtime's own profiler says of a model's layers on its CPU provider.
#pragma once

#include <span>
#include <string>

#include "backends/ort/evaluator.h"
#include "framework/core/status.h"

namespace sluice::ort {

struct NamedArray {
  std::string name;
  ArrayView array;
};

// Loads the model at `path` once more, on one thread and with profiling, and runs it `runs` times. The result
// is the profiler's file: a JSON list of events in Chrome's trace format. `inputs`: one per input of the
// model, in any order. kUnavailable: the model cannot be used; kFailed.
Result<std::string> profile_layers(const std::string& path, std::span<const NamedArray> inputs, int runs);

}  // namespace sluice::ort
