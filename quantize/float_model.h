// From a model file to a float network that is ready for statistics and quantisation.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/input_shape.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// Reads the model with its external data. kUnavailable as check_model; nothing of it is changed.
Result<pb::ModelProto> load_model(const std::string& path);

// What is quantised already cannot be quantised again: kUnavailable, naming what was found.
Status check_is_float(const pb::ModelProto& model);

// Static shapes alone. kInvalid, kUnavailable as `prepare`.
Status fix_sizes(pb::ModelProto& model, const std::vector<InputShape>& shapes);

// Static shapes, constants folded, batch normalisation folded into the convolution or matrix product before
// it (or written as Mul and Add where none stands before it), every node named, shapes of all tensors known,
// unused operator sets dropped. A free batch becomes 1. kInvalid: `shapes` names no input or contradicts the
// file; kUnavailable: a dimension stays symbolic, branches or loops, what ONNX Runtime refuses.
Status prepare(pb::ModelProto& model, const std::vector<InputShape>& shapes);

}  // namespace sluice::quantize
