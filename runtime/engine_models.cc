// What changes while a pipeline runs: a model's file, its variant, and options of nodes.
#include <algorithm>

#include <fmt/format.h>

#include "framework/core/suggest.h"
#include "inference/model_user.h"
#include "inference/telemetry/sysfs_telemetry.h"
#include "runtime/engine.h"
#include "runtime/selected_nodes.h"
#include "runtime/telemetry_thread.h"

namespace sluice {
namespace {

template <typename Range>
std::vector<std::string> names_of(const Range& range) {
  std::vector<std::string> out;
  for (const auto& item : range) out.push_back(item.name);
  return out;
}

Status no_model(const Plan& plan, std::string_view name) {
  const std::string text(name);
  return invalid("there is no model " + in_quotes(text) + allowed(text, names_of(plan.models)));
}

// A file that is loaded while the selector changes backends is loaded again where the frames run then.
constexpr int kMostLoads = 8;

using Replacement = LiveSelection::Replacement;

// `model` for every node of the plan that runs it, on the backend that its frames run on.
Result<std::vector<Replacement>> load_everywhere(const Plan& plan,
                                                 const std::vector<std::unique_ptr<Node>>& nodes,
                                                 LiveSelection* selection, const ModelRequest& model) {
  std::vector<Replacement> out;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    auto* user = dynamic_cast<ModelUser*>(nodes[n].get());
    if (!user || plan.nodes[n].options->text("model") != model.name) continue;
    const auto backend = selection ? selection->backend_of(n) : std::nullopt;
    auto one = backend ? user->load_on(0, model, *backend) : user->load(0, model);
    if (!one.ok()) return one.status().with_context(fmt::format("node '{}': ", plan.nodes[n].id));
    out.push_back({n, std::move(one).value()});
  }
  return out;
}

}  // namespace

Status Engine::open_selection(const RunOptions& options) {
  LiveSelectionSetup setup;
  setup.plan = plan_.get();
  setup.clock = &clock_;
  setup.services = services_.get();
  for (const auto& node : nodes_) setup.nodes.push_back(node.get());
  for (const SourceInfo& info : infos_) setup.source_rates.push_back(info.fps);
  setup.route = [this](int choice, std::size_t route) { bodies_->set_route(choice, route); };
  setup.period = setup_.control_period;
  setup.record = options.record;
  setup.replay = device_.replay;
  selection_ = LiveSelection::create(std::move(setup), [this] {
    if (setup_.make_telemetry) return setup_.make_telemetry();
    auto own = make_telemetry(device_.telemetry, [this] { return inference_load(); });
    return own.ok() ? std::move(*own) : nullptr;  // the probe has said why not
  });
  if (!selection_ && device_.replay)
    return invalid(device_.replay->path + ": was recorded of another pipeline: no node of this one chooses");
  return selection_ ? selection_->open() : Status{};
}

// All nodes load it before the first changes over, so that a failure changes nothing.
Status Engine::replace_model(std::string_view name, const std::string& path) {
  std::lock_guard lock(models_mutex_);
  if (!models_open_) return invalid("models are replaced while the pipeline runs");
  if (std::ranges::find(plan_->models, name, &ModelPlan::name) == plan_->models.end())
    return no_model(*plan_, name);
  SLUICE_ASSIGN(ModelRequest model, services_->model(name));
  model.path = path;
  model.sha256.clear();
  for (int load = 0; load < kMostLoads; ++load) {
    SLUICE_ASSIGN(const std::vector<Replacement> loaded,
                  load_everywhere(*plan_, nodes_, selection_.get(), model));
    if (selection_ && !selection_->replace(name, path, loaded)) continue;
    if (!selection_) services_->set_path(name, path);
    for (const auto& [n, one] : loaded) {
      auto* user = dynamic_cast<ModelUser*>(nodes_[n].get());
      if (!selection_ || !selection_->backend_of(n)) user->use(0, one);
      note_replaced(n, path);
    }
    return {};
  }
  return failed(fmt::format("model '{}' is as it was: while '{}' was loaded, the backend changed {} times",
                            name, path, kMostLoads));
}

// The report says what frames run on, which may be a variant: those of the new file follow when it is left.
void Engine::note_replaced(std::size_t n, const std::string& path) {
  auto* user = dynamic_cast<ModelUser*>(nodes_[n].get());
  const int choice = chooses_route(*plan_, plan_->nodes[n]) ? plan_->nodes[n].choice : -1;
  const std::size_t route = choice < 0 ? 0 : bodies_->route(choice);
  std::string what = fmt::format("replace_model: '{}'", path);
  if (route > 0)
    what += fmt::format(", for frames that do not take variant '{}'",
                        plan_->choices[static_cast<std::size_t>(choice)].variants[route]);
  user->note(route, std::move(what));
}

Status Engine::use_variant(std::string_view model, std::string_view variant) {
  std::lock_guard lock(models_mutex_);
  if (!models_open_) return invalid("variants are chosen while the pipeline runs");
  const auto plan = std::ranges::find(plan_->models, model, &ModelPlan::name);
  if (plan == plan_->models.end()) return no_model(*plan_, model);
  const std::string name(variant);
  const bool known = name.empty() || std::ranges::find(plan->variants, name, &ModelPlan::Variant::name) !=
                                         plan->variants.end();
  if (!known)
    return invalid(fmt::format("model '{}' has no variant '{}'", model, name) +
                   allowed(name, names_of(plan->variants)));
  SLUICE_ASSIGN(const ModelRequest request, services_->model(model, variant));
  if (selection_) selection_->hold(model);
  bool any = false;
  for (std::size_t c = 0; c < plan_->choices.size(); ++c) {
    const RouteChoice& choice = plan_->choices[c];
    if (plan_->models[static_cast<std::size_t>(choice.model)].name != model) continue;
    const auto route =
        static_cast<std::size_t>(std::ranges::find(choice.variants, name) - choice.variants.begin());
    SLUICE_RETURN_IF_ERROR(choose_route(static_cast<int>(c), route, request));
    any = true;
  }
  if (any) return {};
  return invalid(
      fmt::format("model '{}' has one route for all frames: no node that runs it has a policy other "
                  "than 'fixed' or names a variant in 'degrade'",
                  model));
}

Status Engine::choose_route(int choice, std::size_t route, const ModelRequest& model) {
  const std::vector<int>& infer_nodes = plan_->choices[static_cast<std::size_t>(choice)].infer_nodes;
  for (const int n : infer_nodes) {
    auto* user = dynamic_cast<ModelUser*>(nodes_[static_cast<std::size_t>(n)].get());
    if (!user || user->in_use(route)) continue;
    auto loaded = user->load(route, model);
    const std::string& id = plan_->nodes[static_cast<std::size_t>(n)].id;
    if (!loaded.ok()) return loaded.status().with_context(fmt::format("node '{}': ", id));
    user->use(route, std::move(loaded).value());
  }
  bodies_->set_route(choice, route);
  for (const int n : infer_nodes) {
    if (auto* user = dynamic_cast<ModelUser*>(nodes_[static_cast<std::size_t>(n)].get()))
      user->note(route, "use_variant");
  }
  return {};
}

Status Engine::set(std::string_view node, std::string_view option, std::string_view value) {
  for (std::size_t n = 0; n < plan_->nodes.size(); ++n) {
    if (plan_->nodes[n].id != node) continue;
    if (std::lock_guard lock(models_mutex_); !models_open_ || !bodies_)
      return invalid("options are set while the pipeline runs");
    std::lock_guard lock(mutex_);  // two at once must not undo one another
    NodePlan current = plan_->nodes[n];
    current.options = bodies_->options(static_cast<int>(n));
    SLUICE_ASSIGN(OptionsPtr options, set_option(current, option, value));
    bodies_->set_options(static_cast<int>(n), std::move(options));
    note_setting(
        {to_s(clock_.now() - started_at_), std::string(node), std::string(option), std::string(value)});
    return {};
  }
  return invalid(fmt::format("there is no node '{}'", node));
}

// Under the lock. A program that sets an option with every frame does not fill the memory.
void Engine::note_setting(SettingReport setting) {
  if (settings_.size() == RunReport::kMostSettings) {
    settings_.pop_front();
    ++settings_left_out_;
  }
  settings_.push_back(std::move(setting));
}

}  // namespace sluice
