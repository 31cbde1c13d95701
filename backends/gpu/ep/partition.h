// Which nodes of a graph the GPU takes, and in which clusters.
#pragma once

#include <string>
#include <vector>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

struct Partition {
  std::vector<std::vector<std::size_t>> clusters;  // indices of nodes; each cluster is convex
  std::vector<std::string> refusals;               // one sentence per node that stays elsewhere
};

// Nodes are in an order in which they can run. A node's level rises by one wherever a taken node reads from
// one that is not, so nodes of one level never wait for each other through somebody else.
Partition partition(const Graph& graph);

}  // namespace sluice::gpu
