#include <string>

#include "runtime/render_plan.h"

namespace sluice {
namespace {

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string style(const NodePlan& node) {
  if (!node.inserted.empty()) return ", style=dashed";
  if (node.declaration->source || node.declaration->sink) return ", style=bold";
  return "";
}

}  // namespace

std::string render_plan_dot(const Plan& plan) {
  std::string out = "digraph \"" + escaped(plan.name) +
                    "\" {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
  for (const NodePlan& node : plan.nodes) {
    out += "  \"" + escaped(node.id) + "\" [label=\"" + escaped(node.id) + "\\n" +
           escaped(node.declaration->type) + "\"" + style(node) + "];\n";
  }
  for (const PlanEdge& edge : plan.edges) {
    const NodePlan& from = plan.nodes[static_cast<std::size_t>(edge.from_node)];
    const NodePlan& to = plan.nodes[static_cast<std::size_t>(edge.to_node)];
    out += "  \"" + escaped(from.id) + "\" -> \"" + escaped(to.id) + "\" [label=\"" +
           escaped(plan_words::output_type(from, static_cast<std::size_t>(edge.from_output))) + "\"" +
           (edge.latest ? ", style=dashed" : "") + "];\n";
  }
  return out + "}\n";
}

}  // namespace sluice
