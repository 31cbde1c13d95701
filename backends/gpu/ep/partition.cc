#include "backends/gpu/ep/partition.h"

#include <algorithm>
#include <map>

#include "backends/gpu/ops/operators.h"

namespace sluice::gpu {
namespace {

struct Origin {
  int level = 0;
  bool taken = true;  // inputs and constants cost no detour
};

}  // namespace

Partition partition(const Graph& graph) {
  Partition out;
  std::vector<Origin> origins(graph.values.size());
  std::map<int, std::vector<std::size_t>> levels;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const Node& node = graph.nodes[i];
    const std::string why = why_not(graph, node);
    const bool taken = why.empty();
    int level = 0;
    for (const ValueId id : node.inputs) {
      if (id == kNone) continue;
      const Origin& origin = origins[static_cast<std::size_t>(id)];
      level = std::max(level, origin.level + (taken && !origin.taken ? 1 : 0));
    }
    for (const ValueId id : node.outputs)
      if (id != kNone) origins[static_cast<std::size_t>(id)] = {level, taken};
    if (taken)
      levels[level].push_back(i);
    else
      out.refusals.push_back("node '" + node.name + "' (" + node.op + ") " + why);
  }
  for (auto& [level, nodes] : levels) out.clusters.push_back(std::move(nodes));
  return out;
}

}  // namespace sluice::gpu
