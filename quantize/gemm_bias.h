// A Gemm's C that is no row of constants: integer kernels and the NPU know a bias per column only.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// One constant number becomes a row of it; what differs from row to row, or is no constant, becomes an Add
// behind the Gemm. Before types are inferred: those of what it adds are not written.
Status free_gemm_biases(pb::GraphProto& graph);

}  // namespace sluice::quantize
