// Models: their signatures, what batches need of them, which variants are in use.
#include <algorithm>
#include <numeric>

#include "framework/core/suggest.h"
#include "framework/plan/draft.h"

namespace sluice::planning {
namespace {

Mark place_of(const Draft& d, std::size_t model, std::size_t variant) {
  const ModelSpec& spec = d.spec.models[model];
  return variant == 0 ? spec.path_mark : spec.variants[variant - 1].path_mark;
}

std::string owner_of(const Draft& d, std::size_t model, std::size_t variant) {
  const ModelPlan& plan = d.plan->models[model];
  std::string out = "model '" + plan.name + "'";
  if (variant > 0) out += ", variant '" + plan.variants[variant - 1].name + "'";
  return out;
}

void refuse(Draft& d, std::size_t model, std::size_t variant, const std::string& rest) {
  d.issues.push_back(
      {place_of(d, model, variant), owner_of(d, model, variant) + ": " + rest, Code::kUnavailable});
}

bool check_static(Draft& d, std::size_t model, std::size_t variant, const std::vector<TensorType>& tensors,
                  const char* what) {
  for (const TensorType& t : tensors) {
    if (t.shape.is_static()) continue;
    refuse(d, model, variant,
           std::string(what) + " '" + t.name + "' is " + t.shape.text() +
               " and buffers need sizes; fix the symbolic dimensions with `dims`");
    return false;
  }
  return true;
}

std::vector<std::string> names_of(const std::vector<TensorType>& tensors) {
  std::vector<std::string> out;
  for (const TensorType& t : tensors) out.push_back(t.name);
  return out;
}

// Contract section 2: a variant has the same inputs and outputs by name. They get the model's order, which is
// that of the ports.
bool adopt_order(Draft& d, std::size_t model, std::size_t variant, const ModelSignature& own,
                 ModelSignature& other) {
  const auto adopt = [&](const std::vector<TensorType>& a, std::vector<TensorType>& b, const char* what) {
    const std::vector<std::string> names = names_of(a), others = names_of(b);
    if (!std::is_permutation(names.begin(), names.end(), others.begin(), others.end())) {
      refuse(d, model, variant,
             std::string("its ") + what + " are " + comma_list(others) + ", but the model's are " +
                 comma_list(names) + "; a variant has the same, by name");
      return false;
    }
    std::sort(b.begin(), b.end(), [&](const TensorType& x, const TensorType& y) {
      const auto place = [&](const TensorType& t) { return std::find(names.begin(), names.end(), t.name); };
      return place(x) < place(y);
    });
    return true;
  };
  return adopt(own.inputs, other.inputs, "inputs") && adopt(own.outputs, other.outputs, "outputs");
}

// Nodes of `model` that gather several frames into one run.
void check_batch(Draft& d, std::size_t model, std::size_t variant, const ModelSignature& signature) {
  if (signature.symbolic_batch) return;
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    if (!d.type(n).infers || d.draft(n).model != static_cast<int>(model) || d.draft(n).batch < 2) continue;
    refuse(d, model, variant,
           d.owner(n) + " batches up to " + std::to_string(d.draft(n).batch) +
               " frames, but the first dimension of its inputs and outputs is fixed; export the model "
               "with a symbolic one, take it out of `dims`, or set batch.max to 1");
    return;
  }
}

void say_single_frames(Draft& d, std::size_t model, const ModelSignature& signature) {
  const bool batched = std::any_of(d.nodes.begin(), d.nodes.end(), [&](const DraftNode& n) {
    return n.model == static_cast<int>(model) && n.batch > 1;
  });
  if (signature.symbolic_batch && !batched)
    d.say(owner_of(d, model, 0) + ": its symbolic first dimension is 1, one frame per run");
}

bool read_variant(Draft& d, std::size_t model, std::size_t variant) {
  const ModelPlan& plan = d.plan->models[model];
  const std::string name = variant == 0 ? "" : plan.variants[variant - 1].name;
  Result<ModelSignature> read = d.inputs.read_signature
                                    ? d.inputs.read_signature(plan, name)
                                    : Result<ModelSignature>(unavailable("no reader of models is built in"));
  if (!read.ok()) {
    const std::string owner = owner_of(d, model, variant) + ": ";
    const bool named = read.status().message().starts_with("model ");
    d.fail(place_of(d, model, variant), named ? read.status() : read.status().with_context(owner));
    return false;
  }
  ModelSignature signature = std::move(read).value();
  signature.name = plan.name;
  signature.variant = name;
  check_batch(d, model, variant, signature);
  if (variant == 0) say_single_frames(d, model, signature);
  bool usable = check_static(d, model, variant, signature.inputs, "input") &&
                check_static(d, model, variant, signature.outputs, "output");
  auto& variants = d.models[model].variants;
  if (variant > 0 && variants.size() == variant)
    usable = adopt_order(d, model, variant, variants[0], signature) && usable;
  variants.push_back(std::move(signature));
  return usable;
}

// ---- choices ----

bool names_variant(const OptionValue& steps) {
  const auto* list = std::get_if<OptionList>(&steps.data);
  return list && std::any_of(list->begin(), list->end(), [](const OptionValue& step) {
           const auto* map = std::get_if<OptionMap>(&step.data);
           const auto variant = map ? map->find("variant") : OptionMap::const_iterator{};
           return map && variant != map->end() && !variant->second.is_null();
         });
}

// `fixed` without a ladder never leaves the model's own path.
bool may_switch(const Plan& plan, const Options& options) {
  const auto value = [&](const char* key) {
    const auto own = options.all().find(key);
    return own != options.all().end() && !own->second.is_null() ? own->second : plan.selector.at(key);
  };
  return value("policy") != OptionValue{std::string("fixed")} || names_variant(value("degrade"));
}

class Groups {
 public:
  explicit Groups(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0); }
  int find(int n) {
    while (parent_[static_cast<std::size_t>(n)] != n) {
      n = parent_[static_cast<std::size_t>(n)] =
          parent_[static_cast<std::size_t>(parent_[static_cast<std::size_t>(n)])];
    }
    return n;
  }
  void unite(int a, int b) { parent_[static_cast<std::size_t>(find(a))] = find(b); }

 private:
  std::vector<int> parent_;
};

bool carries_tensor(Draft& d, const Link& link) {
  const auto& outputs = d.type(link.from).outputs;
  std::size_t port = 0;
  if (link.from_port != kNamedByModel) {
    port = static_cast<std::size_t>(link.from_port);
  } else {
    while (port + 1 < outputs.size() && !outputs[port].dynamic) ++port;
  }
  return d.draft(link.from).output_kinds[port] == PortKind::kTensor;
}

// One group of nodes joined by tensors follows one model's variants.
void add_choice(Draft& d, int n, std::map<int, int>& by_group, int group) {
  const int model = d.draft(n).model;
  const auto [entry, added] = by_group.emplace(group, static_cast<int>(d.plan->choices.size()));
  if (added) {
    RouteChoice choice;
    choice.model = model;
    for (const ModelSignature& s : d.models[static_cast<std::size_t>(model)].variants)
      choice.variants.push_back(s.variant);
    d.plan->choices.push_back(std::move(choice));
  }
  RouteChoice& choice = d.plan->choices[static_cast<std::size_t>(entry->second)];
  if (choice.model != model) {
    d.error(d.node(n).mark,
            d.owner(n) + ": it exchanges tensors with '" + d.node(choice.infer_nodes.front()).id +
                "', and both their models ('" + d.plan->models[static_cast<std::size_t>(choice.model)].name +
                "', '" + d.plan->models[static_cast<std::size_t>(model)].name +
                "') have variants in use; give one of them 'policy: fixed' and no variant in 'degrade'");
    return;
  }
  choice.infer_nodes.push_back(n);
}

// A node that runs the same model on the same tensors follows its variants, too, whatever its own policy.
void add_follower(const Draft& d, int n, RouteChoice& choice) {
  const DraftNode& node = d.nodes[static_cast<std::size_t>(n)];
  const bool infers = d.plan->nodes[static_cast<std::size_t>(n)].declaration->infers;
  if (!infers || node.model != choice.model || std::ranges::count(choice.infer_nodes, n) > 0) return;
  choice.infer_nodes.push_back(n);
}

}  // namespace

void read_models(Draft& d) {
  d.models.resize(d.plan->models.size());
  for (std::size_t m = 0; m < d.models.size(); ++m) {
    bool usable = true;
    for (std::size_t v = 0; v <= d.plan->models[m].variants.size(); ++v)
      usable = read_variant(d, m, v) && usable;
    d.models[m].usable = usable;
  }
}

void list_choices(Draft& d) {
  Groups groups(d.nodes.size());
  for (const Link& link : d.links) {
    if (link.spec->sync == Sync::kExact && carries_tensor(d, link)) groups.unite(link.from, link.to);
  }
  std::map<int, int> by_group;
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    const int model = d.draft(n).model;
    if (!d.type(n).infers || model < 0 || d.plan->models[static_cast<std::size_t>(model)].variants.empty())
      continue;
    if (may_switch(*d.plan, *d.node(n).options)) add_choice(d, n, by_group, groups.find(n));
  }
  for (int n = 0; n < static_cast<int>(d.nodes.size()); ++n) {
    const auto found = by_group.find(groups.find(n));
    if (found == by_group.end()) continue;
    d.node(n).choice = found->second;
    add_follower(d, n, d.plan->choices[static_cast<std::size_t>(found->second)]);
  }
}

std::string_view variant_name(const Draft& d, int choice, std::size_t route) {
  return choice < 0 ? std::string_view{} : d.plan->choices[static_cast<std::size_t>(choice)].variants[route];
}

const ModelSignature& signature(const Draft& d, int model, int choice, std::size_t route) {
  const auto& variants = d.models[static_cast<std::size_t>(model)].variants;
  const bool follows = choice >= 0 && d.plan->choices[static_cast<std::size_t>(choice)].model == model;
  return variants[follows ? route : 0];
}

int model_input(Draft& d, int index) {
  const Link& link = d.link(index);
  const int model = d.draft(link.to).model;
  if (model < 0) return -1;
  const auto& inputs = signature(d, model, -1, 0).inputs;
  if (inputs.size() == 1 && d.draft(link.to).in.size() == 1) return 0;  // one: any name
  const auto& in = d.draft(link.to).in;
  if (link.element.empty()) {
    const auto position = std::find(in.begin(), in.end(), index) - in.begin();
    return position < static_cast<std::ptrdiff_t>(inputs.size()) ? static_cast<int>(position) : -1;
  }
  const auto found =
      std::find_if(inputs.begin(), inputs.end(), [&](const TensorType& t) { return t.name == link.element; });
  return found == inputs.end() ? -1 : static_cast<int>(found - inputs.begin());
}

const TensorType* wanted(Draft& d, int link, std::size_t route) {
  const int input = model_input(d, link);
  if (input < 0) return nullptr;
  const int to = d.link(link).to;
  return &signature(d, d.draft(to).model, d.node(to).choice, route).inputs[static_cast<std::size_t>(input)];
}

}  // namespace sluice::planning
