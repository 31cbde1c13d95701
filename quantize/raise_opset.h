// Rewrites a network for a newer operator set: per-channel QuantizeLinear needs 13, 16-bit ones need 21.
#pragma once

#include <cstdint>

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

constexpr std::int64_t kPerChannelOpset = 13;
constexpr std::int64_t kSixteenBitOpset = 21;

// ONNX's own operator set of the model.
std::int64_t opset_of(const pb::ModelProto& model);

// Does nothing when the model is there already. Shapes of tensors must be known and static. Every operator
// whose meaning or form changed on the way is rewritten (as in ONNX's Changelog.md); kUnavailable, naming it,
// for those that have no equal in the newer set.
Status raise_opset(pb::ModelProto& model, std::int64_t opset);

}  // namespace sluice::quantize
