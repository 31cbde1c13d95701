#include "runtime/precision_check.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "inference/checked_model.h"

namespace sluice {
namespace {

constexpr std::array<std::string_view, 2> kKeys = {"precision", "fp16_clamp"};

const OptionMap* htp_in(const OptionMap& values) {
  const auto htp = values.find("htp");
  return htp == values.end() ? nullptr : std::get_if<OptionMap>(&htp->second.data);
}

// What `key` says beyond its default, as text; empty: nothing.
std::string said(const OptionMap& values, std::string_view key) {
  const OptionMap* const htp = htp_in(values);
  const auto found = htp ? htp->find(key) : OptionMap::const_iterator{};
  if (!htp || found == htp->end()) return {};
  if (const auto* const flag = std::get_if<bool>(&found->second.data)) return *flag ? "true" : "";
  const auto* const text = std::get_if<std::string>(&found->second.data);
  return text && *text != "auto" ? *text : "";
}

bool is_float(const ModelPlan& model, const std::string& variant, const std::string& path,
              const std::string& sha256) {
  const auto checked = check_model({model.name, variant, path, sha256, model.dims});
  return checked.ok() && !is_quantised((*checked)->header);
}

// The model or one of its variants.
bool has_float(const Plan& plan, const NodePlan& node) {
  const auto model = std::ranges::find(plan.models, node.options->text("model"), &ModelPlan::name);
  return model == plan.models.end() || is_float(*model, "", model->path, model->sha256) ||
         std::ranges::any_of(model->variants, [&](const ModelPlan::Variant& v) {
           return is_float(*model, v.name, v.path, v.sha256);
         });
}

const Value* written(const Value& section, std::string_view key) {
  const Value* const htp = section.find("htp");
  return htp ? htp->find(std::string(key)) : nullptr;
}

void check_node(const GraphSpec& spec, const Plan& plan, const NodePlan& node, std::string_view key,
                Issues& issues) {
  const std::string value = said(node.options->all(), key);
  // What a node inherits may be meant for others.
  if (value.empty() || value == said(plan.backends, key) || has_float(plan, node)) return;
  const auto own = std::ranges::find(spec.nodes, node.id, &NodeSpec::id);
  const Value* const place = own == spec.nodes.end() ? nullptr : written(own->options, key);
  issues.push_back(
      {place ? place->mark : node.mark,
       fmt::format("node '{}': option 'htp.{}' is '{}' and concerns float models, but model '{}' is "
                   "quantised; leave it out",
                   node.id, key, value, node.options->text("model")),
       Code::kInvalid});
}

}  // namespace

Issues check_precision(const GraphSpec& spec, const Plan& plan) {
  Issues issues;
  std::vector<const NodePlan*> nodes;
  for (const NodePlan& node : plan.nodes) {
    if (!node.declaration->infers) continue;
    const auto backends = node.options->texts("backends");
    if (std::ranges::find(backends, "htp") != backends.end()) nodes.push_back(&node);
  }
  for (const std::string_view key : kKeys) {
    for (const NodePlan* const node : nodes) check_node(spec, plan, *node, key, issues);
    const std::string shared = said(plan.backends, key);
    const auto uses = [&](const NodePlan* node) { return has_float(plan, *node); };
    if (shared.empty() || nodes.empty() || std::ranges::any_of(nodes, uses)) continue;
    const Value* const place = written(spec.backends, key);
    issues.push_back(
        {place ? place->mark : Mark{},
         fmt::format("backends: key 'htp.{}' is '{}' and concerns float models, but all models that "
                     "run on htp are quantised; leave it out",
                     key, shared),
         Code::kInvalid});
  }
  return issues;
}

}  // namespace sluice
