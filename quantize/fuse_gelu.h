// GELU as exporters write it, x * 0.5 * (1 + Erf(x / sqrt 2)), becomes ONNX's own operator: the NPU has an
// integer form of that, and none of Erf.
#pragma once

#include <cstdint>

#include "quantize/onnx_proto.h"

namespace sluice::quantize {

constexpr std::int64_t kGeluOpset = 20;

// Returns how many were found. The graph is valid from opset 20 on then.
int fuse_gelu(pb::GraphProto& graph);

}  // namespace sluice::quantize
