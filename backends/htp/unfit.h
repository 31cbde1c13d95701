// Operators that QNN's provider (2.51 and before) computes wrongly, cannot compile or dies of, for the values
// of their attributes, and that the CPU can do instead. Every border was found by sweeping Qualcomm's
// simulator; where it follows no rule, a little more is listed than is wrong.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "inference/onnx/model_header.h"
#include "inference/onnx/shapes.h"

namespace sluice::htp {

// By their place: "operator 'x' (Conv) has padding as large as ..., which QNN computes wrong".
using Unfit = std::map<std::size_t, std::string>;

// `file` is what `header` was read from, `dims` as in a model's request.
Unfit unfit_operators(const onnx::ModelHeader& header, std::string_view file, const onnx::FixedDims& dims);

// The first few of them in a sentence.
std::string describe(const Unfit& unfit);

}  // namespace sluice::htp
