// Sections, models, node types and options: everything that one value of the file says by itself.
#include <algorithm>

#include "framework/core/suggest.h"
#include "framework/node/planned_types.h"
#include "framework/node/sections.h"
#include "framework/node/type_calls.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

OptionMap read_section(Draft& d, const std::string& name, const std::deque<OptionDeclaration>& section,
                       const Value& value) {
  const OptionPlace place{name, "key", d.spec.directory};
  OptionMap out = read_options(place, declared(section), value, d.issues);
  fill_defaults(place, declared(section), value.mark, out, d.issues);
  return out;
}

bool declares(const NodeDeclaration& type, std::string_view name) {
  return std::any_of(type.options.begin(), type.options.end(), [&](const auto& o) { return o.name == name; });
}

// What a node inherits: backend maps that it declares, an infer node also `selector` keys.
OptionMap inherited(const Plan& plan, const NodeDeclaration& type) {
  OptionMap out;
  for (const OptionMap* section : {&plan.selector, &plan.backends}) {
    if (section == &plan.selector && !type.infers) continue;
    for (const auto& [name, value] : *section) {
      if (!value.is_null() && declares(type, name)) out.emplace(name, value);
    }
  }
  return out;
}

// The overrides of one node, from --set; relative to the working directory.
OptionMap read_overrides(Draft& d, int index) {
  const NodePlan& node = d.node(index);
  const OptionPlace place{"--set: node '" + node.id + "'", "option", ""};
  OptionMap out;
  for (const auto& [name, text] : d.inputs.set) {
    if (std::string_view(name).substr(0, name.find('.')) != node.id || name.size() <= node.id.size() + 1)
      continue;
    auto value = parse_value(text);
    if (!value.ok()) {
      d.error({}, "--set " + name + ": " + value.status().message());
      continue;
    }
    const std::string_view option = std::string_view(name).substr(node.id.size() + 1);
    d.draft(index).overridden.emplace(option.substr(0, option.find('.')));
    const Value nested = nested_value(option, std::move(value).value());
    Issues issues;
    overlay(read_options(place, declared(node.declaration->options), nested, issues), out);
    for (Issue& issue : issues) d.error({}, std::move(issue.message));  // no place of the file
  }
  return out;
}

void check_override_names(Draft& d) {
  std::vector<std::string> ids;
  for (const NodePlan& node : d.plan->nodes) ids.push_back(node.id);
  for (const auto& [name, text] : d.inputs.set) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || dot + 1 == name.size()) {
      d.error({}, "--set " + in_quotes(name) + " names no option; write node.option=value");
    } else if (!d.node_index.contains(name.substr(0, dot))) {
      d.error({}, "--set " + in_quotes(name) + " names no node" + allowed(name.substr(0, dot), ids));
    }
  }
}

void read_node_options(Draft& d, int index) {
  const NodeSpec& spec = *d.draft(index).spec;
  NodePlan& node = d.node(index);
  const Declared options = declared(node.declaration->options);
  const OptionPlace place{d.owner(index), "option", d.spec.directory};
  const std::size_t before = d.issues.size();
  OptionMap written = read_options(place, options, spec.options, d.issues);
  overlay(read_overrides(d, index), written);
  OptionMap values = inherited(*d.plan, *node.declaration);
  overlay(written, values);
  fill_defaults(place, options, spec.mark, values, d.issues);
  d.draft(index).wrong_options = d.issues.size() != before;
  node.options = std::make_shared<const Options>(std::move(values));
}

void check_options(Draft& d, int index) {
  if (!d.type(index).check_options) return;
  const Options& options = *d.node(index).options;
  const bool some_are_wrong = d.draft(index).wrong_options;  // and null: what needs them may be there
  const Status threw =
      check_together(d.type(index), options, [&](std::string_view option, const Status& why) {
        if (options.has(option) || !some_are_wrong) refuse_option(d, index, option, why);
      });
  if (!threw.ok() && !some_are_wrong) d.fail(d.node(index).mark, threw.with_context(d.owner(index) + ": "));
}

void choose_thread(Draft& d, int index) {
  NodePlan& node = d.node(index);
  node.thread = d.type(index).thread;
  const auto& choose = d.type(index).choose_thread;
  if (!choose) return;
  const auto thread =
      call_type("choose_thread", [&]() -> Result<ThreadKind> { return choose(*node.options); });
  if (thread.ok()) node.thread = *thread;
  if (!thread.ok() && !d.draft(index).wrong_options)
    d.fail(node.mark, thread.status().with_context(d.owner(index) + ": "));
}

void check_model_names(Draft& d, int index) {
  std::vector<std::string> names;
  for (const ModelPlan& model : d.plan->models) names.push_back(model.name);
  for (const OptionDeclaration& option : d.type(index).options) {
    if (option.kind != OptionKind::kModel || !d.node(index).options->has(option.name)) continue;
    const std::string& name = d.node(index).options->text(option.name);
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end()) {
      const std::string rest = names.empty() ? ", but the file has no `models`" : allowed(name, names);
      refuse_option(d, index, option.name,
                    invalid("option '" + option.name + "' is " + in_quotes(name) + rest));
    } else if (d.draft(index).model < 0) {
      d.draft(index).model = static_cast<int>(found - names.begin());
    }
  }
}

bool find_type_of(Draft& d, int index) {
  const NodeSpec& spec = *d.draft(index).spec;
  d.node(index).declaration = d.find_type(spec.type);
  if (d.node(index).declaration) return true;
  d.incomplete = true;
  if (spec.type.empty()) return false;
  std::vector<std::string> names;
  for (const NodeDeclaration* type : d.inputs.registry->all()) names.push_back(type->type);
  const std::string what = in_quotes(spec.type);
  d.error(spec.type_mark,
          d.owner(index) + (is_planned_type(spec.type)
                                ? ": type " + what + " is not in this version, allowed: " + comma_list(names)
                                : ": unknown type " + what + allowed(spec.type, names)));
  return false;
}

void decide_on_error(Draft& d, int index) {
  const NodeSpec& spec = *d.draft(index).spec;
  const NodeDeclaration& type = d.type(index);
  const std::string rule = type.on_error.empty() ? (type.sink ? "stop" : "drop") : type.on_error;
  d.node(index).stop_on_error = spec.on_error.value_or(rule) == "stop";
}

void resolve_profile(OptionMap& device, const std::string& base) {
  const auto found = device.find("profile");
  auto* const profile = found == device.end() ? nullptr : std::get_if<std::string>(&found->second.data);
  if (profile && is_profile_path(*profile)) *profile = resolve_path(base, *profile);
}

}  // namespace

void read_sections(Draft& d) {
  d.plan->selector = read_section(d, "selector", selector_section(), d.spec.selector);
  d.plan->backends = read_section(d, "backends", backends_section(), d.spec.backends);
  d.plan->device = read_section(d, "device", device_section(), d.spec.device);
  resolve_profile(d.plan->device, d.spec.directory);
}

void list_models(Draft& d) {
  for (const ModelSpec& spec : d.spec.models) {
    ModelPlan model;
    model.name = spec.name;
    model.path = resolve_path(d.spec.directory, spec.path);
    model.sha256 = spec.sha256.value_or("");
    model.dims = spec.dims;
    model.path_mark = spec.path_mark;
    for (const VariantSpec& v : spec.variants) {
      model.variants.push_back({v.name, resolve_path(d.spec.directory, v.path), v.sha256.value_or(""),
                                v.snr_db.value_or(0), v.snr_db.has_value()});
    }
    d.plan->models.push_back(std::move(model));
  }
}

void read_nodes(Draft& d) {
  for (const NodeSpec& spec : d.spec.nodes) {
    const int index = static_cast<int>(d.plan->nodes.size());
    NodePlan node;
    node.id = spec.id;
    node.mark = spec.mark;
    node.file_index = index;
    d.plan->nodes.push_back(std::move(node));
    d.nodes.push_back({.spec = &spec});
    d.node_index.emplace(spec.id, index);
  }
  check_override_names(d);
  for (int i = 0; i < static_cast<int>(d.nodes.size()); ++i) {
    d.draft(i).known = find_type_of(d, i);
    if (!d.draft(i).known) continue;
    read_node_options(d, i);
    choose_thread(d, i);
    check_model_names(d, i);
    check_options(d, i);
    decide_on_error(d, i);
  }
}

}  // namespace sluice::planning
