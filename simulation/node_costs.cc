#include "simulation/node_costs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/suggest.h"
#include "inference/checked_model.h"
#include "inference/foreign_json.h"
#include "inference/onnx/macs.h"

namespace sluice {
namespace {

constexpr std::uintmax_t kMostReportBytes = 64u << 20;
constexpr std::string_view kUsualMode = "balanced";  // where none is chosen, as on a real NPU

std::string stem_of(const std::string& path) { return std::filesystem::path(path).stem().string(); }

std::string model_words(const std::string& stem, const BackendProfile& backend) {
  return fmt::format("model '{}' on backend '{}'", stem, backend.name);
}

double number_or(const Options& options, std::string_view name, double fallback) {
  return options.has(name) ? options.number(name) : fallback;
}

}  // namespace

Result<Timings> read_timings(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return invalid(fmt::format("{}: cannot be read", path));
  if (size > kMostReportBytes) return invalid(fmt::format("{}: {} bytes are no report of a run", path, size));
  std::ifstream in(path);
  const auto report = read_json<nlohmann::json>(std::string{std::istreambuf_iterator<char>(in), {}});
  if (!report.is_object() || !report.contains("nodes") || !report["nodes"].is_array())
    return invalid(fmt::format("{}: no report of `sluice run --report` (it has no list 'nodes')", path));
  if (report.value("simulated", nlohmann::json()) == true)
    return invalid(
        fmt::format("{}: is the report of a simulated run, whose times nobody measured; give one of "
                    "a run on the device",
                    path));
  Timings out;
  for (const auto& node : report["nodes"]) {
    if (!node.is_object() || !node.contains("id") || !node["id"].is_string()) continue;
    const auto busy = node.value("busy_ms", nlohmann::json());
    const auto median = busy.is_object() ? busy.value("p50", nlohmann::json()) : nlohmann::json();
    if (median.is_number() && median.get<double>() >= 0)
      out[node["id"].get<std::string>()].ms = median.get<double>();
  }
  for (const auto& entry : report.value("inference", nlohmann::json::array())) {
    if (!entry.is_object() || !entry.contains("node") || !entry["node"].is_string()) continue;
    const auto found = out.find(entry["node"].get<std::string>());
    if (found == out.end()) continue;
    const auto text_at = [](const nlohmann::json& from, const char* key) {
      return from.is_object() && from.contains(key) && from[key].is_string() ? from[key].get<std::string>()
                                                                             : "";
    };
    found->second.backend = text_at(entry, "backend");
    const auto decisions = entry.find("decisions");
    if (decisions != entry.end() && decisions->is_array() && !decisions->empty())
      found->second.performance_mode = text_at(decisions->back(), "performance_mode");
  }
  return out;
}

Result<NodeCosts> NodeCosts::create(const Plan& plan, const DeviceProfile& profile, const Timings& timings) {
  NodeCosts out(plan, profile, timings);
  for (const NodePlan& node : plan.nodes) {
    out.works_.push_back(out.node_work(node));
    int model = -1;
    if (node.declaration->type == "infer") {
      const std::string& name = node.options->text("model");
      for (std::size_t m = 0; m < plan.models.size(); ++m) {
        if (plan.models[m].name == name) model = static_cast<int>(m);
      }
    }
    out.models_.push_back(model);
  }
  SLUICE_RETURN_IF_ERROR(out.look_at_models());
  return out;
}

Status NodeCosts::look_at_models() {
  for (std::size_t m = 0; m < plan_->models.size(); ++m) {
    const ModelPlan& model = plan_->models[m];
    const auto look = [&](const std::string& variant, const std::string& path,
                          const std::string& hash) -> Status {
      SLUICE_ASSIGN(const auto checked, check_model({model.name, variant, path, hash, model.dims}));
      ModelFacts facts;
      facts.stem = stem_of(path);
      const onnx::Macs macs = onnx::count_macs(checked->header, checked->file->bytes(), model.dims);
      if (macs.total) facts.macs = static_cast<double>(*macs.total);
      facts.why_no_macs = macs.uncounted.empty()
                              ? fmt::format("neither the file nor its operators give a shape for {} of them",
                                            macs.without_shape)
                              : fmt::format("those of {} are not counted", fmt::join(macs.uncounted, ", "));
      facts_[{static_cast<int>(m), variant}] = std::move(facts);
      return {};
    };
    SLUICE_RETURN_IF_ERROR(look("", model.path, model.sha256));
    for (const ModelPlan::Variant& v : model.variants) SLUICE_RETURN_IF_ERROR(look(v.name, v.path, v.sha256));
  }
  return {};
}

Work NodeCosts::node_work(const NodePlan& node) const {
  Work out;
  for (std::size_t u = 0; u < profile_->units.size(); ++u) {
    if (&profile_->units[u] == profile_->unit(UnitRole::kCpu)) out.unit = static_cast<int>(u);
  }
  if (const NodeTiming* const found = timing(node, "")) {
    out.compute_ms = found->ms;
    return out;
  }
  for (const std::string& type : {node.declaration->type, std::string("default")}) {
    for (const NodeCostProfile& cost : profile_->node_costs) {
      if (cost.type != type) continue;
      out.compute_ms = cost.ms;
      return out;
    }
  }
  return out;
}

const NodeCosts::ModelFacts& NodeCosts::facts(int model, const std::string& variant) const {
  return facts_.at({model, variant});
}

const NodeTiming* NodeCosts::timing(const NodePlan& node, const std::string& backend) const {
  const auto found = timings_.find(node.id);
  if (found == timings_.end()) return nullptr;
  const std::string& on = found->second.backend;
  return on.empty() || backend.empty() || on == backend ? &found->second : nullptr;
}

// What was measured holds in the mode of that run.
double NodeCosts::measured_ms(const NodeTiming& timing, const BackendProfile& backend) const {
  const Result<double> speed = speed_of(backend, timing.performance_mode);
  return timing.ms * (speed.ok() ? *speed : 1.0);
}

const ModelProfile* NodeCosts::listed(const ModelFacts& model, const BackendProfile& backend) const {
  for (const ModelProfile& one : profile_->models) {
    if (one.backend != backend.name) continue;
    if (std::find(one.files.begin(), one.files.end(), model.stem) != one.files.end()) return &one;
  }
  return nullptr;
}

Basis NodeCosts::basis(int node, const InferChoice& choice) const {
  const auto n = static_cast<std::size_t>(node);
  if (timing(plan_->nodes[n], choice.backend)) return Basis::kMeasured;
  const BackendProfile* const backend = profile_->backend(choice.backend);
  const ModelProfile* const found = backend ? listed(facts(models_[n], choice.variant), *backend) : nullptr;
  return found && found->origin.label == Label::kPublished ? Basis::kPublished : Basis::kAssumed;
}

Result<double> NodeCosts::latency_ms(const ModelFacts& model, const BackendProfile& backend) const {
  if (const ModelProfile* const found = listed(model, backend)) return found->latency_ms;
  if (backend.gmacs_per_s <= 0)
    return unavailable(model_words(model.stem, backend) + ": profile '" + profile_->name +
                       "' lists no latency for it and gives the backend no 'gmacs_per_s'");
  if (!model.macs)
    return unavailable(
        fmt::format("{}: profile '{}' lists no latency for it, and its multiply-accumulates are "
                    "unknown: {}; give a measured report with --timings",
                    model_words(model.stem, backend), profile_->name, model.why_no_macs));
  return backend.base_ms + *model.macs / (backend.gmacs_per_s * 1e6);
}

Result<double> NodeCosts::speed_of(const BackendProfile& backend, const std::string& mode) const {
  const bool chosen = !mode.empty() && mode != "auto" && mode != "default";
  if (backend.modes.empty()) return 1.0;
  const std::string wanted = chosen ? mode : usual_mode(backend.name);
  for (const ModeProfile& m : backend.modes) {
    if (m.name == wanted) return m.speed;
  }
  if (!chosen) return backend.modes.front().speed;
  return unavailable(fmt::format("profile '{}': backend '{}' has no performance mode '{}'{}", profile_->name,
                                 backend.name, mode,
                                 allowed(mode, std::span<const std::string>(modes(backend.name)))));
}

std::vector<std::string> NodeCosts::modes(const std::string& name) const {
  std::vector<std::string> out;
  if (const BackendProfile* const backend = profile_->backend(name)) {
    for (const ModeProfile& mode : backend->modes) out.push_back(mode.name);
  }
  return out;
}

// Of the NPU; empty: the profile has no such mode.
std::string NodeCosts::usual_mode(const std::string& backend) const {
  if (backend != "htp") return {};
  const std::vector<std::string> all = modes(backend);
  return std::ranges::find(all, kUsualMode) != all.end() ? std::string(kUsualMode) : std::string();
}

// The fake backend takes its time beside the device's units; its heat goes where the first unit's goes.
Work NodeCosts::fake_work(const NodePlan& node) const {
  const Options fake(node.options->map("fake"));
  Work out;
  out.beside = true;
  out.fixed_ms = number_or(fake, "latency_ms", 10);
  out.jitter = out.fixed_ms > 0 ? std::min(1.0, number_or(fake, "jitter_ms", 0) / out.fixed_ms) : 0;
  out.extra_w = number_or(fake, "heat_w", 0);
  return out;
}

Result<Work> NodeCosts::infer_work(int node, const InferChoice& choice) const {
  const auto n = static_cast<std::size_t>(node);
  if (choice.backend == "fake") return fake_work(plan_->nodes[n]);
  const BackendProfile* const backend = profile_->backend(choice.backend);
  if (!backend)
    return unavailable(fmt::format("profile '{}' has no backend '{}'", profile_->name, choice.backend));
  Work out;
  out.unit = backend->unit;
  out.jitter = backend->jitter;
  SLUICE_ASSIGN(out.speed, speed_of(*backend, choice.performance_mode));
  if (const NodeTiming* const found = timing(plan_->nodes[n], choice.backend)) {
    out.compute_ms = measured_ms(*found, *backend);
    return out;
  }
  out.fixed_ms = backend->overhead_ms;
  SLUICE_ASSIGN(out.compute_ms, latency_ms(facts(models_[n], choice.variant), *backend));
  return out;
}

Result<InferChoice> NodeCosts::first_choice(int node, std::vector<std::string>& warnings) const {
  const NodePlan& plan = plan_->nodes[static_cast<std::size_t>(node)];
  const bool strict = plan.options->text("on_fallback") == "error";
  std::string all;
  for (const std::string& backend : plan.options->texts("backends")) {
    InferChoice choice;
    choice.backend = backend;
    if (backend == "htp") {
      const Options htp(plan.options->map("htp"));
      choice.performance_mode = htp.has("performance_mode") ? htp.text("performance_mode") : "";
    }
    if (choice.performance_mode.empty() || choice.performance_mode == "auto")
      choice.performance_mode = usual_mode(backend);
    const Result<Work> work = infer_work(node, choice);
    if (work.ok()) {
      choice.reason =
          fmt::format("simulated {}: policy fixed, the first usable of `backends`", profile_->name);
      return choice;
    }
    if (strict) return work.status().with_context(fmt::format("node '{}': ", plan.id));
    all += (all.empty() ? "" : "; ") + work.status().message();
    warnings.push_back(fmt::format("node '{}': {}; skipped", plan.id, work.status().message()));
  }
  return unavailable(fmt::format("node '{}': no backend of {} is usable on simulated '{}': {}", plan.id,
                                 comma_list(plan.options->texts("backends")), profile_->name, all));
}

}  // namespace sluice
