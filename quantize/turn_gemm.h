// A Gemm of a constant by data, A x, becomes the product the NPU has an integer form of: data by weights,
// transposed before and after.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// Before types are inferred: those of what it adds are not written. kUnavailable, with the operator's name:
// the constant is no float32 matrix.
Status turn_gemms(pb::GraphProto& graph);

}  // namespace sluice::quantize
