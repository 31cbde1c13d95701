// Around what QNN's provider computes wrongly or dies of (2.51 and before): found in the model before it sees
// it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "framework/core/status.h"
#include "inference/checked_model.h"
#include "inference/onnx/shapes.h"

namespace sluice::htp {

// kUnavailable, with the operator's name and what to do: the provider would end the process or give wrong
// numbers, and nothing that means the same is known. `dims` as in a model's request.
Status check_repairable(const CheckedModel& model, const onnx::FixedDims& dims);

// A model that means the same; none: `model` has nothing of the kind. In other words are
// - a Cast from uint8 to float32, which gives 1 for all that is not 0: by way of int32;
// - windows that step over pixels (same_windows.h): their padding is written out;
// - external weights without a length: it is written down;
// - inputs that are weights too: they are weights alone, else the compiled model cannot be opened.
std::optional<std::string> repaired(std::string_view model, const onnx::FixedDims& dims);

}  // namespace sluice::htp
