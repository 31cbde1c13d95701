#include "runtime/selected_nodes.h"

#include <algorithm>
#include <span>

#include "framework/graph/source_feed.h"
#include "inference/selection/node_setup.h"

namespace sluice {
namespace {

bool same_inputs(const NodeRoute& a, const NodeRoute& b) {
  const auto size_of = [](const PortType& type) { return type.tensor ? type.tensor->shape : Shape{}; };
  if (a.inputs.size() != b.inputs.size()) return false;
  for (std::size_t port = 0; port < a.inputs.size(); ++port) {
    if (!std::ranges::equal(a.inputs[port], b.inputs[port], {}, size_of, size_of)) return false;
  }
  return true;
}

// The node's variants are those that it has routes for, unless the routes are another model's.
std::vector<VariantFacts> variants_of(const Plan& plan, const NodePlan& node) {
  std::vector<VariantFacts> out;
  const std::string& name = node.options->text("model");
  const auto model = std::ranges::find(plan.models, name, &ModelPlan::name);
  const std::size_t routes = chooses_route(plan, node) ? node.routes.size() : 1;
  for (const NodeRoute& route : std::span(node.routes).first(routes)) {
    VariantFacts& facts = out.emplace_back();
    facts.name = route.variant;
    facts.same_input_size = same_inputs(node.routes.front(), route);
    if (model == plan.models.end()) continue;
    const auto variant = std::ranges::find(model->variants, route.variant, &ModelPlan::Variant::name);
    if (variant != model->variants.end() && variant->snr_known) facts.snr_db = variant->snr_db;
  }
  return out;
}

// Of the node's source, whose pace goes before what its header says; 0: as many frames as there can be.
double source_rate(const Plan& plan, const NodePlan& node, double header_fps) {
  if (node.source < 0) return 0;
  const Pace pace = Pace::parse(plan.sources[static_cast<std::size_t>(node.source)].pace);
  if (pace.kind == Pace::Kind::kMax) return 0;
  return pace.kind == Pace::Kind::kRate ? pace.fps : header_fps;
}

}  // namespace

bool chooses_route(const Plan& plan, const NodePlan& node) {
  if (node.choice < 0) return false;
  return std::ranges::any_of(plan.choices[static_cast<std::size_t>(node.choice)].infer_nodes,
                             [&](int n) { return &plan.nodes[static_cast<std::size_t>(n)] == &node; });
}

bool takes_selection(const NodePlan& node) {
  if (!node.declaration->infers) return false;
  const SelectorPolicy policy = selector_policy(*node.options, 0);
  const bool may_fall_back =
      node.options->texts("backends").size() > 1 && node.options->text("on_fallback") != "error";
  return policy.kind != PolicyKind::kFixed || !policy.degrade.empty() || may_fall_back;
}

SelectedNode selected_node(const Plan& plan, std::size_t node, double header_fps) {
  const NodePlan& from = plan.nodes[node];
  SelectedNode out;
  out.id = from.id;
  out.policy = selector_policy(*from.options, source_rate(plan, from, header_fps));
  out.candidates = candidate_set(*from.options, variants_of(plan, from));
  return out;
}

std::string blind_words(const SelectorPolicy& policy) {
  const std::string what = policy.kind == PolicyKind::kSustained ? "policy 'sustained'" : "max_temperature_c";
  return what + " needs temperatures and no sensor gives one; latency drift alone is used";
}

bool same_session(const SelectorCandidate& a, const SelectorCandidate& b) {
  return a.backend == b.backend && a.variant == b.variant;
}

bool begins_session(std::span<const SelectorCandidate> candidates, std::size_t candidate) {
  return std::ranges::none_of(candidates.first(candidate), [&](const SelectorCandidate& earlier) {
    return same_session(earlier, candidates[candidate]);
  });
}

}  // namespace sluice
