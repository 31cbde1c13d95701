// What the HTP (through ONNX Runtime's QNN provider) wants of each operator in a QDQ model.
#pragma once

#include <string_view>

#include "quantize/onnx_proto.h"

namespace sluice::quantize {

enum class OperatorKind {
  kFloat,      // not quantised: no integer form there
  kPlain,      // every float input and output has an encoding of its own
  kSame,       // moves numbers: the outputs share the first input's encoding
  kConv,       // weights int8, per channel where wanted; bias int32
  kGemm,       // the same
  kMatMul,     // weights int8, never per channel
  kNormalise,  // scale as weights per tensor (LayerNormalization: unsigned); bias int32
  kClip,       // Relu and Clip: vanish where the encoding before them says the same
};

struct OperatorRule {
  OperatorKind kind = OperatorKind::kFloat;
  // Inputs from this one on are parameters (bounds, sizes), not data.
  int data_inputs = 1 << 20;
};

// By type; ONNX's own domain only.
OperatorRule rule_of(const pb::NodeProto& node);

// The widest activations with which the NPU computes it right: Log in 16 bits is silently wrong there, and
// LRN is refused.
int most_bits(const pb::NodeProto& node);

// Of what moves numbers: its results may lie outside its input's range (a padded constant, cubic overshoot).
bool leaves_range(const pb::NodeProto& node);

// The output channels' dimension in the weights (input 1) of a layer; -1 where the NPU computes scales per
// channel wrong (a ConvTranspose in groups).
int channel_axis(const pb::NodeProto& node);

}  // namespace sluice::quantize
