// Sizes of a model's free dimensions, where a backend takes static shapes only.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "inference/checked_model.h"

namespace sluice::ort {

// ONNX Runtime fixes free dimensions by their names. Those of inputs that have none get the sizes that the
// signature gives them, the free batch `batch`, in a copy of `model`; none: there are no such.
std::optional<std::string> with_fixed_inputs(std::string_view model, const onnx::ModelHeader& header,
                                             const ModelSignature& signature, int batch);

}  // namespace sluice::ort
