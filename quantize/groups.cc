#include "quantize/groups.h"

#include "quantize/operators.h"

namespace sluice::quantize {

// Operators stand in the order in which they run, so the input's root is known before its outputs come.
Groups::Groups(const pb::GraphProto& graph, const GraphIndex& index) {
  for (const pb::NodeProto& node : graph.node()) {
    const bool moves = rule_of(node).kind == OperatorKind::kSame && node.input_size() > 0 &&
                       index.is_float_activation(node.input(0));
    movers_.push_back(moves);
    if (!moves) continue;
    const std::string first = root(node.input(0));
    for (const std::string& output : node.output()) {
      if (!index.is_float_activation(output)) continue;
      roots_[output] = first;
      members_[first].push_back(output);
    }
  }
}

const std::string& Groups::root(const std::string& tensor) const {
  const auto found = roots_.find(tensor);
  return found == roots_.end() ? tensor : found->second;
}

std::vector<std::string> Groups::members(const std::string& root) const {
  std::vector<std::string> out = {root};
  const auto found = members_.find(root);
  if (found != members_.end()) out.insert(out.end(), found->second.begin(), found->second.end());
  return out;
}

}  // namespace sluice::quantize
