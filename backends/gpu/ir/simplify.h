// Rewrites a graph so that fewer and larger launches compute the same.
#pragma once

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// In this order: constants of DequantizeLinear are computed; Gemm is split where one launch cannot do it;
// elementwise operators become chains and chains that follow each other one chain; what a convolution or a
// matrix product can do on its way out goes into it; a first layer reads NHWC without the Transpose before
// it; nodes whose results nobody reads are removed. Nodes stay in an order in which they can run.
void simplify(Graph& graph);

// ops/matmul.cc
bool gemm_is_one_launch(const Graph& graph, const Node& node);

}  // namespace sluice::gpu
