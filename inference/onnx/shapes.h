// Shapes of a graph's tensors: those that the file gives, and those that follow from them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inference/onnx/shape_rules.h"

namespace sluice::onnx {

using Shapes = std::map<Bytes, Dims>;
using FixedDims = std::vector<std::pair<std::string, std::int64_t>>;

// Starts from the shapes that are fixed in the file, a symbolic first dimension of an input being a batch of
// 1, and follows the operators as far as their rules go. `dims` fixes further symbolic dimensions, by name or
// as 'input.0'. `file` is what `header` was read from; without its operators in there nothing is followed.
// Weights are not among the result. Allocates for each operator; keys are views into `file`.
Shapes shapes_of(const ModelHeader& header, Bytes file, const FixedDims& dims = {});

}  // namespace sluice::onnx
