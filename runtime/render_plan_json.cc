#include <nlohmann/json.hpp>

#include "runtime/option_json.h"
#include "runtime/render_plan.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

const std::string& id_of(const Plan& plan, int node) { return plan.nodes[static_cast<std::size_t>(node)].id; }

Json model(const ModelPlan& m) {
  Json dims = Json::object(), variants = Json::array();
  for (const auto& [name, size] : m.dims) dims[name] = size;
  for (const auto& v : m.variants) {
    variants.push_back(
        {{"name", v.name}, {"path", v.path}, {"snr_db", v.snr_known ? Json(v.snr_db) : Json(nullptr)}});
  }
  return {{"name", m.name}, {"path", m.path}, {"dims", dims}, {"variants", variants}};
}

Json input(const Plan& plan, const PlanEdge& edge) {
  Json out = {{"port", plan_words::input_name(plan, edge)},
              {"from", plan_words::output_name(plan, edge)},
              {"sync", edge.latest ? "latest" : "exact"}};
  if (edge.latest) {
    out["max_age_ms"] = to_ms(edge.max_age);
  } else {
    out["capacity"] = edge.capacity == 0 ? Json(nullptr) : Json(edge.capacity);
    out["when_full"] = plan_words::name_of(edge.when_full);
  }
  return out;
}

Json output(const NodePlan& node, std::size_t index) {
  const OutputPlan& o = node.outputs[index];
  return {{"port", o.name},
          {"type", plan_words::output_type(node, index)},
          {"max_packets", o.max_packets},
          {"buffers", o.buffers},
          {"buffer_bytes", o.buffer_bytes == 0 ? Json(nullptr) : Json(o.buffer_bytes)},
          {"copy_for_edit", o.pooled_copy_for_edit},
          {"edits_in_place", o.edited_input >= 0 && !o.pooled_copy_for_edit}};
}

Json route(const NodeRoute& route) {
  Json outputs = Json::array();
  for (const PortType& type : route.outputs)
    outputs.push_back({{"port", type.name}, {"type", plan_words::port_type(type)}});
  return {{"variant", route.variant.empty() ? Json(nullptr) : Json(route.variant)}, {"outputs", outputs}};
}

Json node(const Plan& plan, const NodePlan& n) {
  Json inputs = Json::array(), outputs = Json::array(), routes = Json::array(), options = Json::object();
  for (const auto& port : n.inputs) {
    for (const int edge : port) inputs.push_back(input(plan, plan.edges[static_cast<std::size_t>(edge)]));
  }
  for (std::size_t i = 0; i < n.outputs.size(); ++i) outputs.push_back(output(n, i));
  for (const NodeRoute& r : n.routes) routes.push_back(route(r));
  if (n.options) {
    for (const auto& [name, value] : n.options->all()) options[name] = to_json_value(value);
  }
  return {{"id", n.id},
          {"type", n.declaration->type},
          {"inserted", n.inserted.empty() ? Json(nullptr) : Json(n.inserted)},
          {"folded", n.folded},
          {"thread", name_of(n.thread)},
          {"concurrency", n.concurrency},
          {"on_error", n.stop_on_error ? "stop" : "drop"},
          {"source", n.source < 0 ? Json(nullptr)
                                  : Json(id_of(plan, plan.sources[static_cast<std::size_t>(n.source)].node))},
          {"options", options},
          {"inputs", inputs},
          {"outputs", outputs},
          {"routes", routes}};
}

Json source(const Plan& plan, const SourcePlan& s) {
  return {{"id", id_of(plan, s.node)},
          {"live", s.live},
          {"pace", s.pace},
          {"credits", s.credits},
          {"slots", s.slots}};
}

Json chain(const Plan& plan, const UnitPlan& unit) {
  Json out = Json::array();
  for (const int node : unit.nodes) out.push_back(id_of(plan, node));
  return out;
}

}  // namespace

std::string render_plan_json(const Plan& plan) {
  Json models = Json::array(), nodes = Json::array(), sources = Json::array(), tasks = Json::array();
  for (const ModelPlan& m : plan.models) models.push_back(model(m));
  for (const NodePlan& n : plan.nodes) nodes.push_back(node(plan, n));
  for (const SourcePlan& s : plan.sources) sources.push_back(source(plan, s));
  for (const UnitPlan& u : plan.units) tasks.push_back(chain(plan, u));
  const Json out = {{"version", 1},
                    {"pipeline", plan.name},
                    {"mode", plan.lossless ? "lossless" : "realtime"},
                    {"deadline_ms", to_ms(plan.deadline)},
                    {"sources", sources},
                    {"nodes", nodes},
                    {"tasks", tasks},
                    {"models", models},
                    {"adjustments", plan.adjustments},
                    {"planned_bytes", plan.planned_bytes}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice
