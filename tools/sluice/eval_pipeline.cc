#include "tools/sluice/eval_pipeline.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "framework/core/suggest.h"

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

// The node before the first dot.
std::string feeder(const InputSpec& input) { return input.from.substr(0, input.from.find('.')); }

std::set<std::string> ancestors(const GraphSpec& spec, const std::string& id) {
  std::set<std::string> out = {id};
  for (bool grown = true; grown;) {
    grown = false;
    for (const NodeSpec& node : spec.nodes) {
      if (!out.contains(node.id)) continue;
      for (const InputSpec& input : node.inputs) grown |= out.insert(feeder(input)).second;
    }
  }
  return out;
}

NodeSpec picture_source(const std::string& id, const std::string& folder) {
  NodeSpec out;
  out.id = id;
  out.type = "image_source";
  out.options.data = Value::Map{{"path", {}, Value{folder, {}}}};
  return out;
}

NodeSpec sink_of(const std::string& id) {
  NodeSpec out;
  out.id = kEvalSink;
  out.type = "app_sink";
  InputSpec input;
  input.from = id;
  out.inputs = {input};
  out.input_elements = {""};
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
  const std::set<std::string> kept = ancestors(spec, makers[0]);
  GraphSpec out = spec;
  out.flow = {};
  std::erase_if(out.nodes, [&](const NodeSpec& node) { return !kept.contains(node.id); });
  const auto sources = nodes_where(out, registry, [](const NodeDeclaration& type) { return type.source; });
  if (sources.size() != 1) {
    return invalid("eval needs exactly one source before " + in_quotes(makers[0]) +
                   ", this has: " + list(sources));
  }
  if (kept.contains(kEvalSink))
    return invalid(std::string("a node is named ") + kEvalSink + ", which eval needs for itself");
  for (NodeSpec& node : out.nodes) {
    if (node.id == sources[0]) node = picture_source(node.id, pictures);
  }
  out.flow.mode = "lossless";
  for (NodeSpec& node : out.nodes) {
    for (InputSpec& input : node.inputs) input.when_full = WhenFull::kDefault;
  }
  out.nodes.push_back(sink_of(makers[0]));
  return out;
}

}  // namespace sluice::cli
