#include "framework/plan/route_context.h"

#include <algorithm>

#include "framework/core/suggest.h"

namespace sluice::planning {

const Options& RouteContext::options() const { return *d_.node(node_).options; }
std::string_view RouteContext::node_id() const { return d_.node(node_).id; }
std::string_view RouteContext::variant() const { return variant_name(d_, d_.node(node_).choice, route_); }

std::vector<PortType> RouteContext::inputs(std::size_t port) const {
  const auto& inputs = d_.node(node_).routes[route_].inputs;
  return port < inputs.size() ? inputs[port] : std::vector<PortType>{};
}

std::vector<std::string> RouteContext::input_names(std::size_t port) const {
  std::vector<std::string> out;
  if (port >= d_.node(node_).inputs.size()) return out;
  for (const int e : d_.node(node_).inputs[port]) out.push_back(d_.edge(e).element);
  return out;
}

Result<ModelSignature> RouteContext::model(std::string_view option) const {
  const std::string& name = options().text(option);
  const auto& models = d_.plan->models;
  const auto found =
      std::find_if(models.begin(), models.end(), [&](const ModelPlan& m) { return m.name == name; });
  if (found == models.end()) {
    return invalid("node " + in_quotes(node_id()) + ": option " + in_quotes(option) + " names no model");
  }
  return signature(d_, static_cast<int>(found - models.begin()), d_.node(node_).choice, route_);
}

std::shared_ptr<const TensorType> RouteContext::wanted_downstream() const {
  std::vector<int> open{node_};
  std::vector<bool> seen(d_.nodes.size());
  const TensorType* plain = nullptr;
  while (!open.empty()) {
    const int at = open.back();
    open.pop_back();
    for (const int l : d_.draft(at).out) {
      const Link& link = d_.link(l);
      if (link.spec->sync == Sync::kLatest || seen[static_cast<std::size_t>(link.to)]) continue;
      seen[static_cast<std::size_t>(link.to)] = true;
      const bool same_choice = d_.node(link.to).choice == d_.node(node_).choice;
      if (d_.type(link.to).infers) {
        const TensorType* type = wanted(d_, l, same_choice ? route_ : 0);
        if (!type) continue;
        if (type->quant) return std::make_shared<const TensorType>(*type);
        if (!plain) plain = type;
      } else if (forwards_type(d_.type(link.to)) && link.to_port == 0) {
        open.push_back(link.to);
      }
    }
  }
  return plain ? std::make_shared<const TensorType>(*plain) : nullptr;
}

}  // namespace sluice::planning
