#include "tools/sluice/eval_pipeline.h"

#include <algorithm>
#include <vector>

#include "framework/core/suggest.h"
#include "tools/sluice/graph_cut.h"

namespace sluice::cli {
namespace {

std::string list(const std::vector<std::string>& ids) { return ids.empty() ? "none" : comma_list(ids); }

std::vector<std::string> nodes_where(const GraphSpec& spec, const Registry& registry, auto&& predicate) {
  std::vector<std::string> out;
  for (const NodeSpec& node : spec.nodes) {
    const NodeDeclaration* const type = registry.find(node.type);
    if (type && predicate(*type)) out.push_back(node.id);
  }
  return out;
}

}  // namespace

Result<GraphSpec> make_eval_pipeline(const GraphSpec& spec, const Registry& registry, bool classes,
                                     const std::string& pictures) {
  const PortKind wanted = classes ? PortKind::kClasses : PortKind::kDetections;
  const auto makers = nodes_where(spec, registry, [&](const NodeDeclaration& type) {
    return std::any_of(type.outputs.begin(), type.outputs.end(),
                       [&](const PortDeclaration& p) { return p.kind == wanted; });
  });
  if (makers.size() != 1) {
    return invalid("eval needs exactly one node that makes " + std::string(name_of(wanted)) +
                   ", this has: " + list(makers));
  }
  return cut_graph(spec, registry, makers[0], picture_source(pictures), kEvalSink, "eval");
}

Result<Settings> settings_for_eval(const Settings& set, const GraphSpec& whole, const GraphSpec& kept,
                                   std::vector<std::string>& notes) {
  const auto find = [](const GraphSpec& spec, const std::string& id) {
    return std::find_if(spec.nodes.begin(), spec.nodes.end(), [&](const NodeSpec& n) { return n.id == id; });
  };
  Settings out;
  for (const auto& [name, value] : set) {
    const std::string id = name.substr(0, name.find('.'));
    const auto node = find(kept, id);
    if (node != kept.nodes.end() && node->inputs.empty())
      return invalid("--set " + name + ": in eval the labelled pictures take the place of the source " +
                     in_quotes(id) + "; leave it out");
    if (node == kept.nodes.end() && find(whole, id) != whole.nodes.end()) {
      notes.push_back("warning: --set " + name + ": eval does not run node " + in_quotes(id) +
                      ", so it has no effect");
      continue;
    }
    out.emplace_back(name, value);
  }
  return out;
}

}  // namespace sluice::cli
