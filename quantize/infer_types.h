// Types and shapes of all tensors, as ONNX Runtime infers them: it knows every operator set.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// Writes what every operator's results are into the graph's value_info and outputs. kUnavailable: ONNX
// Runtime refuses the model.
Status infer_types(pb::ModelProto& model);

}  // namespace sluice::quantize
