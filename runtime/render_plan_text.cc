#include <string>

#include "runtime/render_plan.h"

namespace sluice {
namespace {

using namespace plan_words;

std::string deadline(const Plan& plan) {
  return plan.deadline == 0 ? "" : ", deadline " + std::to_string(plan.deadline / 1'000'000) + " ms";
}

std::string sources(const Plan& plan) {
  std::string out = "sources\n";
  for (const SourcePlan& source : plan.sources) {
    out += "  " + plan.nodes[static_cast<std::size_t>(source.node)].id + ": " +
           (source.live ? "live" : "file") + ", pace " + source.pace + ", " + std::to_string(source.credits) +
           " frames in flight, " + std::to_string(source.slots) + " frame records\n";
  }
  return out;
}

std::string heading(const NodePlan& node) {
  std::string out =
      "  " + node.id + ": " + node.declaration->type + ", " + std::string(name_of(node.thread)) + " thread";
  if (const auto device = plan_words::device(node); !device.empty()) out += ", " + device;
  if (node.concurrency > 1) out += ", " + std::to_string(node.concurrency) + " frames at once";
  out += node.stop_on_error ? ", stops the run on an error" : "";
  return out + (node.inserted.empty() ? "" : " (inserted: " + node.inserted + ")") + "\n";
}

std::string inputs(const Plan& plan, const NodePlan& node) {
  std::string out;
  for (const auto& port : node.inputs) {
    for (const int index : port) {
      const PlanEdge& edge = plan.edges[static_cast<std::size_t>(index)];
      out += "    in  " + input_name(plan, edge) + " <- " + output_name(plan, edge) + " (" + delivery(edge) +
             ")\n";
    }
  }
  return out;
}

std::string outputs(const NodePlan& node) {
  std::string out;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    const OutputPlan& output = node.outputs[i];
    out += "    out " + output.name + ": " + output_type(node, i);
    if (output.max_packets > 1) out += ", up to " + std::to_string(output.max_packets) + " per frame";
    if (output.buffer_bytes > 0)
      out += ", " + std::to_string(output.buffers) + " buffers of " + size(output.buffer_bytes);
    if (output.edited_input >= 0) out += output.pooled_copy_for_edit ? ", edits a copy" : ", edits in place";
    out += "\n";
  }
  return out;
}

std::string routes(const NodePlan& node) {
  if (node.routes.size() < 2) return {};
  std::string out = "    routes";
  for (const NodeRoute& route : node.routes)
    out += " " + (route.variant.empty() ? "(own path)" : route.variant);
  return out + "\n";
}

std::string nodes(const Plan& plan) {
  std::string out = "nodes\n";
  for (const NodePlan& node : plan.nodes) {
    out += heading(node) + inputs(plan, node) + outputs(node) + routes(node);
    for (const std::string& folded : node.folded) out += "    folded in: " + folded + "\n";
  }
  return out;
}

// Chains only: a unit of one node is no news.
std::string chains(const Plan& plan) {
  std::string out;
  for (const UnitPlan& unit : plan.units) {
    if (unit.nodes.size() < 2) continue;
    out += "  one task:";
    for (const int node : unit.nodes) out += " " + plan.nodes[static_cast<std::size_t>(node)].id;
    out += "\n";
  }
  return out.empty() ? out : "chains\n" + out;
}

std::string models(const Plan& plan) {
  std::string out;
  for (const ModelPlan& model : plan.models) {
    out += "  " + model.name + ": " + model.path + "\n";
    for (const auto& variant : model.variants)
      out += "    variant " + variant.name + ": " + variant.path + "\n";
  }
  return out.empty() ? out : "models\n" + out;
}

std::string adjustments(const Plan& plan) {
  std::string out;
  for (const std::string& line : plan.adjustments) out += "  " + line + "\n";
  return out.empty() ? out : "decided by the plan\n" + out;
}

}  // namespace

std::string render_plan_text(const Plan& plan) {
  return "pipeline " + plan.name + ": " + (plan.lossless ? "lossless" : "realtime") + deadline(plan) + "\n" +
         sources(plan) + nodes(plan) + chains(plan) + models(plan) + adjustments(plan) + "memory: at most " +
         size(plan.planned_bytes) + " in pools whose size is known before the sources are opened\n";
}

}  // namespace sluice
