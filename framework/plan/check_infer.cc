// What the options of infer nodes must agree on: one batch per shared session, ladders that name what is
// there.
#include <algorithm>

#include "framework/core/suggest.h"
#include "framework/node/sections.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

const OptionValue& option(const NodePlan& node, std::string_view name) {
  static const OptionValue kNull;
  const auto found = node.options->all().find(name);
  return found == node.options->all().end() ? kNull : found->second;
}

int batch_of(const NodePlan& node) {
  const auto* batch = std::get_if<OptionMap>(&option(node, "batch").data);
  if (!batch) return 1;
  const auto found = batch->find("max");
  const auto* max = found == batch->end() ? nullptr : std::get_if<std::int64_t>(&found->second.data);
  return max ? static_cast<int>(std::clamp<std::int64_t>(*max, 1, 1024)) : 1;
}

// Same model, same backends, same settings of them: one session.
bool share_session(Draft& d, int a, int b) {
  if (d.draft(a).model != d.draft(b).model || option(d.node(a), "backends") != option(d.node(b), "backends"))
    return false;
  return std::all_of(backends_section().begin(), backends_section().end(),
                     [&](const OptionDeclaration& backend) {
                       return option(d.node(a), backend.name) == option(d.node(b), backend.name);
                     });
}

void check_shared_batches(Draft& d, const std::vector<int>& infers) {
  for (std::size_t i = 0; i < infers.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const int first = infers[j], n = infers[i];
      if (!share_session(d, first, n)) continue;
      if (option(d.node(first), "batch") != option(d.node(n), "batch")) {
        const std::string& model = d.plan->models[static_cast<std::size_t>(d.draft(n).model)].name;
        refuse_option(
            d, n, "batch",
            invalid("option 'batch' differs from that of node '" + d.node(first).id + "' (max " +
                    std::to_string(d.draft(n).batch) + " and " + std::to_string(d.draft(first).batch) +
                    "), and both share the session of model '" + model + "'; write the same in both"));
      }
      break;  // agreeing with the first that shares is agreeing with all
    }
  }
}

// An order of preference: at least one, each once.
void check_backends(Draft& d, int n) {
  if (!d.node(n).options->has("backends")) return;
  std::vector<std::string> names = d.node(n).options->texts("backends");
  if (names.empty())
    refuse_option(d, n, "backends",
                  invalid("option 'backends' is empty, but something must run the model; write [cpu]"));
  std::sort(names.begin(), names.end());
  if (const auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end())
    refuse_option(d, n, "backends", invalid("option 'backends' names " + in_quotes(*twice) + " twice"));
}

std::vector<std::string> known_names(Draft& d, int n, const std::string& key) {
  std::vector<std::string> out;
  if (key == "backend") return d.node(n).options->texts("backends");
  if (d.draft(n).model < 0) return out;
  for (const auto& v : d.plan->models[static_cast<std::size_t>(d.draft(n).model)].variants)
    out.push_back(v.name);
  return out;
}

const std::string* text_of(const OptionMap& step, const std::string& key) {
  const auto found = step.find(key);
  return found == step.end() ? nullptr : std::get_if<std::string>(&found->second.data);
}

// The first name in a step that this node lacks; empty: none.
std::string lacks(Draft& d, int n, const OptionValue& step, std::string& allowed_names) {
  const auto* map = std::get_if<OptionMap>(&step.data);
  if (!map) return {};
  const auto backends = known_names(d, n, "backend");
  const std::string* const mode = text_of(*map, "performance_mode");
  if (mode && std::ranges::find(backends, "htp") == backends.end()) {
    allowed_names =
        ", which is one of backend 'htp', and that is not among its backends: the step does nothing";
    return "performance_mode " + in_quotes(*mode);
  }
  for (const std::string key : {"variant", "backend"}) {
    const auto* name = text_of(*map, key);
    if (!name) continue;
    const auto known = known_names(d, n, key);
    if (std::find(known.begin(), known.end(), *name) != known.end()) continue;
    allowed_names = known.empty() ? ", but there is none" : allowed(*name, known);
    return key + " " + in_quotes(*name);
  }
  return {};
}

// Where `step` names the only backend that the node and its earlier steps have left to begin on, it is no
// candidate before that step, and nothing is: why; empty: something is left. Takes it out of `left`.
std::string takes_last(const OptionValue& step, std::vector<std::string>& left) {
  const auto* map = std::get_if<OptionMap>(&step.data);
  const std::string* const name = map ? text_of(*map, "backend") : nullptr;
  const auto found = name ? std::ranges::find(left, *name) : left.end();
  if (found == left.end()) return {};
  if (left.size() == 1) return "backend " + in_quotes(*name);
  left.erase(found);
  return {};
}

std::string no_start(const std::string& backends) {
  return ", and so no backend is left to begin on: one that a step names is not used before it, and its "
         "backends are " +
         backends;
}

std::string in_step(std::string name, const std::string& number) {
  return name.append(" in step ").append(number);
}

void refuse_step(Draft& d, int n, std::size_t step, const std::string& names) {
  const std::string sentence = d.owner(n) + ": option 'degrade' names " + names;
  if (is_set(d, n, "degrade")) return d.error({}, "--set: " + sentence);
  const Value* written = d.draft(n).spec->options.find("degrade");
  const Value::List* list = written->list();
  d.error(list && step < list->size() ? (*list)[step].mark : written->mark, sentence);
}

// Inherited steps that a node lacks are skipped and said; written ones, also by --set, are errors.
void check_ladder(Draft& d, int n) {
  const bool written = is_set(d, n, "degrade") || d.draft(n).spec->options.find("degrade");
  const auto* steps = std::get_if<OptionList>(&option(d.node(n), "degrade").data);
  if (!steps || !d.node(n).options->has("backends")) return;
  OptionList kept;
  std::vector<std::string> left = d.node(n).options->texts("backends");
  const std::string all = joined(left, ", ");
  for (std::size_t i = 0; i < steps->size(); ++i) {
    std::string names;
    const std::string missing = lacks(d, n, (*steps)[i], names);
    const std::string last = missing.empty() ? takes_last((*steps)[i], left) : std::string();
    const std::string number = std::to_string(i + 1);
    if (missing.empty() && last.empty()) {
      kept.push_back((*steps)[i]);
    } else if (written) {
      refuse_step(d, n, i, last.empty() ? missing + names : in_step(last, number) + no_start(all));
    } else {
      std::string said = d.owner(n) + " skips step ";
      said.append(number).append(" of selector.degrade: ");
      if (last.empty())
        said.append("it has no ").append(missing);
      else
        said.append("it names ").append(last).append(no_start(all));
      d.say(said);
    }
  }
  if (kept.size() == steps->size()) return;
  OptionMap values = d.node(n).options->all();
  values["degrade"] = OptionValue{std::move(kept)};
  d.node(n).options = std::make_shared<const Options>(std::move(values));
}

}  // namespace

void check_infer(Draft& d) {
  std::vector<int> infers;
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.draft(n).known || !d.type(n).infers || d.draft(n).wrong_options || d.draft(n).model < 0) continue;
    d.draft(n).batch = batch_of(d.node(n));
    check_backends(d, n);
    check_ladder(d, n);
    infers.push_back(n);
  }
  check_shared_batches(d, infers);
}

}  // namespace sluice::planning
