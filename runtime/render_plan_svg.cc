#include <string>

#include <fmt/format.h>

#include "runtime/plan_layout.h"
#include "runtime/render_plan.h"
#include "runtime/xml_text.h"

namespace sluice {
namespace {

std::string number(double value) { return fmt::format("{:.1f}", value); }

std::string head(const PlanLayout& layout) {
  const std::string width = number(layout.width), height = number(layout.height);
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + width + "\" height=\"" + height +
         "\" viewBox=\"0 0 " + width + " " + height +
         "\" font-family=\"monospace\" font-size=\"12\">\n"
         "<defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" "
         "markerHeight=\"8\" "
         "orient=\"auto\"><path d=\"M0 0 8 4 0 8z\" fill=\"#555\"/></marker></defs>\n"
         "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n";
}

// The tooltip of an edge says what travels on it and how.
std::string edge_path(const Plan& plan, const PlanEdge& edge, const PlanLayout& layout) {
  const PlanBox& from = layout.boxes[static_cast<std::size_t>(edge.from_node)];
  const PlanBox& to = layout.boxes[static_cast<std::size_t>(edge.to_node)];
  const double x1 = from.x + from.width, y1 = from.y + from.height / 2, x2 = to.x, y2 = to.y + to.height / 2;
  const double bend = (x2 > x1 ? (x2 - x1) / 2 : 60);
  const NodePlan& node = plan.nodes[static_cast<std::size_t>(edge.from_node)];
  const std::string words = plan_words::output_name(plan, edge) + " -> " +
                            plan_words::input_name(plan, edge) + ": " +
                            plan_words::output_type(node, static_cast<std::size_t>(edge.from_output)) + " (" +
                            plan_words::delivery(edge) + ")";
  return "<path d=\"M" + number(x1) + " " + number(y1) + " C" + number(x1 + bend) + " " + number(y1) + " " +
         number(x2 - bend) + " " + number(y2) + " " + number(x2) + " " + number(y2) +
         "\" fill=\"none\" stroke=\"#555\" marker-end=\"url(#arrow)\"" +
         (edge.latest ? " stroke-dasharray=\"5 4\"" : "") + "><title>" + escaped(words) + "</title></path>\n";
}

std::string fill(const NodePlan& node) {
  if (!node.inserted.empty()) return "#f4f4f4";
  if (node.declaration->source) return "#e3f1e3";
  if (node.declaration->sink) return "#f6e9dc";
  return "#e8eef8";
}

std::string box(const NodePlan& node, const PlanBox& b) {
  const std::string middle = number(b.x + b.width / 2);
  return "<g><rect x=\"" + number(b.x) + "\" y=\"" + number(b.y) + "\" width=\"" + number(b.width) +
         "\" height=\"" + number(b.height) + "\" rx=\"5\" fill=\"" + fill(node) + "\" stroke=\"#333\"" +
         (node.inserted.empty() ? "" : " stroke-dasharray=\"4 3\"") + "/>" + "<text x=\"" + middle +
         "\" y=\"" + number(b.y + 19) + "\" text-anchor=\"middle\" font-weight=\"bold\">" + escaped(node.id) +
         "</text><text x=\"" + middle + "\" y=\"" + number(b.y + 35) +
         "\" text-anchor=\"middle\" fill=\"#555\">" + escaped(node.declaration->type) + "</text></g>\n";
}

}  // namespace

std::string render_plan_svg(const Plan& plan) {
  const PlanLayout layout = lay_out_plan(plan);
  std::string out = head(layout);
  for (const PlanEdge& edge : plan.edges) out += edge_path(plan, edge, layout);
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) out += box(plan.nodes[i], layout.boxes[i]);
  return out + "</svg>\n";
}

}  // namespace sluice
