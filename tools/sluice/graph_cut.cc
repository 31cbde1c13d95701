#include "tools/sluice/graph_cut.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "framework/core/suggest.h"

namespace sluice::cli {
namespace {

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

NodeSpec sink_of(const std::string& sink, const std::string& id) {
  NodeSpec out;
  out.id = sink;
  out.type = "app_sink";
  InputSpec input;
  input.from = id;
  out.inputs = {input};
  out.input_elements = {""};
  return out;
}

NodeSpec source_of(const char* type, const char* option, const std::string& path) {
  NodeSpec out;
  out.type = type;
  out.options.data = Value::Map{{option, {}, Value{path, {}}}};
  return out;
}

}  // namespace

NodeSpec picture_source(const std::string& path) { return source_of("image_source", "path", path); }
NodeSpec video_source(const std::string& path) { return source_of("video_source", "uri", path); }

Result<GraphSpec> cut_graph(const GraphSpec& spec, const Registry& registry, const std::string& node,
                            const NodeSpec& source, const std::string& sink, const std::string& command) {
  const std::set<std::string> kept = ancestors(spec, node);
  GraphSpec out = spec;
  out.flow = {};
  std::erase_if(out.nodes, [&](const NodeSpec& n) { return !kept.contains(n.id); });
  std::vector<std::string> sources;
  for (const NodeSpec& n : out.nodes) {
    const NodeDeclaration* const type = registry.find(n.type);
    if (type && type->source) sources.push_back(n.id);
  }
  if (sources.size() != 1) {
    return invalid(command + " needs exactly one source before " + in_quotes(node) +
                   ", this has: " + (sources.empty() ? "none" : comma_list(sources)));
  }
  if (kept.contains(sink))
    return invalid("a node is named " + sink + ", which " + command + " needs for itself");
  for (NodeSpec& n : out.nodes) {
    for (InputSpec& input : n.inputs) input.when_full = WhenFull::kDefault;
    if (n.id != sources[0]) continue;
    n = source;
    n.id = sources[0];
  }
  out.flow.mode = "lossless";
  out.nodes.push_back(sink_of(sink, node));
  return out;
}

}  // namespace sluice::cli
