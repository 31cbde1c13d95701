// A convolution's constants as the kernels want them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// What a node's fused steps mean behind a convolution.
struct Epilogue {
  ValueId residual = kNone;
  int act = 0;  // OP_...; OP_PRELU with `slope`
  float a = 0, b = 0;
  std::vector<float> slope;      // per output channel
  float factor = 1, addend = 0;  // behind the activation
};

// Weights as [oc][ic / groups][taps], with the constant factors and addends per channel of the steps
// multiplied in.
struct FoldedWeights {
  std::vector<float> weights, bias;  // bias: oc, padded to a multiple of 4
  Epilogue epilogue;
};
FoldedWeights fold_weights(const Graph& graph, const Node& node, std::int64_t oc);

// Whether a chain of elementwise steps is what a depthwise convolution of one tap does: constants per
// channel, at least one that is no scalar, then at most a residual, then at most an activation. 3 or 4
// dimensions.
bool is_scaling(const Graph& graph, const Node& chain);
// Of such a chain: one weight per channel. Nothing where a weight or addend would not be finite.
std::optional<FoldedWeights> fold_scaling(const Graph& graph, const Node& chain);

// Whether `step` multiplies or adds one constant per channel (or one for all) of a value of shape `dims`.
bool is_channel_constant(const Graph& graph, const ChainStep& step, const Dims& dims);
// Whether `step` does that with one constant for all channels.
bool is_scalar_constant(const Graph& graph, const ChainStep& step);
// Whether convolutions have it as activation.
bool is_finishing(int op);

// Packed as kernels/conv.cl and depthwise.cl say.
struct Bands {
  std::vector<float> weights;
  std::vector<std::int32_t> table;
};
// Output channels that share a vector may belong to several convolution groups: then it reads the channels of
// all, with zeros where an output channel does not.
Bands pack_bands(const FoldedWeights& folded, std::int64_t oc, std::int64_t ic, std::int64_t groups,
                 std::int64_t taps, int lanes);
std::vector<float> pack_first(const FoldedWeights& folded, std::int64_t oc, std::int64_t ic,
                              std::int64_t taps, int lanes);
std::vector<float> pack_depthwise(const FoldedWeights& folded, std::int64_t channels, std::int64_t taps);
std::vector<float> pad_to(std::vector<float> values, int multiple);

}  // namespace sluice::gpu
