// Around what QNN's provider computes wrongly or dies of (2.51 and before): it gets the model in other words.
// What has none is refused (refusals.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "inference/onnx/shapes.h"

namespace sluice::htp {

// A model that means the same; none: `model` has nothing of the kind. In other words are
// - a Cast from uint8 to float32, which gives 1 for all that is not 0: by way of int32;
// - windows that step over pixels (same_windows.h): their padding is written out;
// - external weights without a length: it is written down;
// - inputs that are weights too: they are weights alone, else the compiled model cannot be opened;
// - operators that the provider must not take (unfit.h): in branches that it leaves to the CPU.
std::optional<std::string> repaired(std::string_view model, const onnx::FixedDims& dims);

}  // namespace sluice::htp
