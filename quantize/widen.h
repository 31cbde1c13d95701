// A float16 network becomes a float32 one: what it is quantised to does not depend on how its weights were
// kept.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// Weights, constants, edges and conversions of `model` that are float16 become float32 in place; others are
// left alone. Returns whether there was one. Its weights lie in the model itself. kUnavailable: a weight with
// fewer numbers than its dimensions say.
Result<bool> widen(pb::ModelProto& model);

}  // namespace sluice::quantize
