// Folds what scales and shifts channels into the layer before it.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

// BatchNormalization, and Mul or Add with one constant per channel, behind a Conv, ConvTranspose or Gemm
// whose result nobody else reads, become part of its weights and bias. A BatchNormalization that stands
// elsewhere becomes Mul and Add, and a Gemm's alpha and beta go into its constants. Shapes of tensors must be
// known; operator set 9 or later.
Status fold_affine(pb::GraphProto& graph);

}  // namespace sluice::quantize
