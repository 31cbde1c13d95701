// Encodings of constants: int8 around zero for weights.
#pragma once

#include "framework/core/status.h"
#include "quantize/encoding.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// `axis`: the dimension of the output channels, each of which gets a scale; -1: one scale. kUnavailable: no
// float32 tensor, or numbers that are not finite.
Result<Encoding> encode_weights(const pb::TensorProto& weights, int axis);

// Of a LayerNormalization's scale: the NPU takes it unsigned, one scale. The same failures.
Result<Encoding> encode_scale(const pb::TensorProto& scale);

// A bias is stored as int32 with the product of the input's and the weights' scale: where that is too fine to
// hold it, the weights' scale grows.
Status make_room_for_bias(Encoding& weights, const pb::TensorProto& bias, float input_scale);

}  // namespace sluice::quantize
