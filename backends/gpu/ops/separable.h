// A depthwise convolution and the 1 x 1 convolution behind it as one launch (kernels/separable.cl): the
// tensor between them is neither written nor read.
#pragma once

#include "backends/gpu/plan/builder.h"

namespace sluice::gpu {

// The depthwise convolution that `point` is launched with, or null.
const Node* depthwise_before(const Graph& graph, const Node& point);
// Whether `depthwise` is launched with the node that reads it.
bool joins_next(const Graph& graph, const Node& depthwise);

void lower_separable(Builder& builder, const Node& depthwise, const Node& point);

}  // namespace sluice::gpu
