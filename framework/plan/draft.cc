#include "framework/plan/draft.h"

#include <algorithm>

namespace sluice::planning {

bool Draft::failed() const {
  return incomplete || std::any_of(issues.begin(), issues.end(), [](const Issue& i) { return !i.warning; });
}

std::shared_ptr<const NodeDeclaration> Draft::find_type(std::string_view name) {
  if (const auto found = types.find(name); found != types.end()) return found->second;
  const NodeDeclaration* declaration = inputs.registry->find(name);
  if (!declaration) return nullptr;
  return types.emplace(name, std::make_shared<const NodeDeclaration>(*declaration)).first->second;
}

bool is_set(const Draft& d, int node, std::string_view option) {
  const std::string& id = d.plan->nodes[static_cast<std::size_t>(node)].id;
  return std::ranges::any_of(d.inputs.set, [&](const auto& set) {
    return set.first.size() == id.size() + 1 + option.size() && set.first.starts_with(id + ".") &&
           set.first.ends_with(option);
  });
}

void refuse_option(Draft& d, int node, std::string_view option, const Status& why) {
  d.draft(node).wrong_options = true;
  if (d.draft(node).overridden.contains(option))
    return d.fail({}, why.with_context("--set: " + d.owner(node) + ": "));
  const NodeSpec& spec = *d.draft(node).spec;
  const Value* const value = spec.options.find(option);
  d.fail(value ? value->mark : spec.mark, why.with_context(d.owner(node) + ": "));
}

bool is_end(const NodeDeclaration& type) { return type.sink || type.observer; }

bool forwards_type(const NodeDeclaration& type) {
  return std::any_of(type.outputs.begin(), type.outputs.end(),
                     [](const PortDeclaration& p) { return p.kind == PortKind::kAny; });
}

std::vector<int> exact_inputs(const Plan& plan, int node) {
  std::vector<int> out;
  for (const auto& port : plan.nodes[static_cast<std::size_t>(node)].inputs) {
    for (const int e : port) {
      if (!plan.edges[static_cast<std::size_t>(e)].latest) out.push_back(e);
    }
  }
  return out;
}

std::vector<int> topological(const Plan& plan) {
  std::vector<int> waits(plan.nodes.size()), order;
  std::vector<std::vector<int>> next(plan.nodes.size());
  for (const PlanEdge& e : plan.edges) {
    ++waits[static_cast<std::size_t>(e.to_node)];
    next[static_cast<std::size_t>(e.from_node)].push_back(e.to_node);
  }
  for (std::size_t n = 0; n < waits.size(); ++n) {
    if (waits[n] == 0) order.push_back(static_cast<int>(n));
  }
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (const int to : next[static_cast<std::size_t>(order[i])]) {
      if (--waits[static_cast<std::size_t>(to)] == 0) order.push_back(to);
    }
  }
  return order;
}

std::vector<bool> leads_to_due(const Plan& plan) {
  std::vector<bool> leads(plan.nodes.size());
  for (int s = 0; s < static_cast<int>(plan.sources.size()); ++s) {
    for (const int n : due_nodes(plan, s)) leads[static_cast<std::size_t>(n)] = true;
  }
  const std::vector<int> order = topological(plan);
  for (auto n = order.rbegin(); n != order.rend(); ++n) {
    if (!leads[static_cast<std::size_t>(*n)]) continue;
    for (const int e : exact_inputs(plan, *n)) {
      leads[static_cast<std::size_t>(plan.edges[static_cast<std::size_t>(e)].from_node)] = true;
    }
  }
  return leads;
}

std::vector<int> due_nodes(const Plan& plan, int source) {
  std::vector<int> counting, ends;
  std::vector<bool> leads_on(plan.nodes.size());
  for (const PlanEdge& e : plan.edges) {
    if (!e.latest) leads_on[static_cast<std::size_t>(e.from_node)] = true;
  }
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const NodePlan& node = plan.nodes[n];
    if (node.source != source || node.declaration->source) continue;
    if (node.declaration->sink && !node.declaration->observer) counting.push_back(static_cast<int>(n));
    if (!leads_on[n]) ends.push_back(static_cast<int>(n));
  }
  return counting.empty() ? ends : counting;
}

TimeNs to_ns(double milliseconds) {
  constexpr double kMost = 1e12;
  return static_cast<TimeNs>(std::min(milliseconds, kMost) * 1e6);
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const std::string& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}

}  // namespace sluice::planning
