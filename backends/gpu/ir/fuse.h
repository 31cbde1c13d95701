// Joins nodes that one launch can do.
#pragma once

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// Chains into chains, chains into the convolutions and matrix products before them, the Transpose before a
// first layer into it; removes nodes without readers. The graph's elementwise operators are chains already.
void fuse(Graph& graph);

}  // namespace sluice::gpu
