// What `--shape NAME=DIMS` fixes of a model's symbolic dimensions.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/onnx/shapes.h"
#include "quantize/input_shape.h"

namespace sluice::cli {

// "input=1x3x8x8" as dimensions of the model at `path`: by their name where they have one, since outputs
// share it, else as "input.0". What follows of the outputs' is among them. kInvalid: no such input, or a size
// that the model fixes otherwise; kUnavailable: the model cannot be read, which is not tried without shapes.
// Any thread.
Result<onnx::FixedDims> fixed_dims(const std::string& path, const std::vector<quantize::InputShape>& shapes);

// A backend's message, which speaks of `dims` in a pipeline file, with what to write on the command line.
std::string with_shape_option(std::string message);

}  // namespace sluice::cli
