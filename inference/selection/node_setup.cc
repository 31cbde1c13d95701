#include "inference/selection/node_setup.h"

#include <algorithm>
#include <limits>

namespace sluice {
namespace {

// What `performance_mode: auto` leaves to the selector: the ends and the middle of the scale.
constexpr std::string_view kAutoModes[] = {"burst", "balanced", "power_saver"};
constexpr std::string_view kDefaultMode = "balanced";

std::optional<double> number(const Options& options, std::string_view key) {
  return options.has(key) ? std::optional(options.number(key)) : std::nullopt;
}

std::optional<std::string> text(const OptionMap& step, std::string_view key) {
  const auto found = step.find(key);
  if (found == step.end() || found->second.is_null()) return std::nullopt;
  return std::get<std::string>(found->second.data);
}

std::vector<LadderStep> ladder_of(const Options& options) {
  std::vector<LadderStep> out;
  if (!options.has("degrade")) return out;
  for (const OptionValue& value : std::get<OptionList>(options.value("degrade").data)) {
    const auto& map = std::get<OptionMap>(value.data);
    LadderStep& step = out.emplace_back();
    step.performance_mode = text(map, "performance_mode");
    step.variant = text(map, "variant");
    step.backend = text(map, "backend");
    const Options typed(map);
    if (typed.has("rate_hz")) step.rate_hz = typed.number("rate_hz");
  }
  return out;
}

void add_once(std::vector<std::string>& names, std::string_view name) {
  if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
}

// Of htp; other backends have none.
std::vector<std::string> modes_of(const Options& options, const SelectorPolicy& policy,
                                  std::string_view backend) {
  if (backend != "htp") return {""};
  const Options htp(options.has("htp") ? options.map("htp") : OptionMap{});
  const std::string written = htp.has("performance_mode") ? htp.text("performance_mode") : "auto";
  std::vector<std::string> modes;
  if (written != "auto")
    modes.push_back(written);
  else if (policy.kind == PolicyKind::kFixed)
    modes.emplace_back(kDefaultMode);
  else
    modes.assign(std::begin(kAutoModes), std::end(kAutoModes));
  for (const LadderStep& step : policy.degrade)
    if (step.performance_mode) add_once(modes, *step.performance_mode);
  return modes;
}

bool in_use(const SelectorPolicy& policy, const VariantFacts& variant) {
  return variant.name.empty() || policy.kind != PolicyKind::kFixed ||
         std::ranges::any_of(policy.degrade, [&](const LadderStep& s) { return s.variant == variant.name; });
}

}  // namespace

UnitRole unit_of(std::string_view backend) {
  if (backend == "gpu") return UnitRole::kGpu;
  return backend == "cpu" ? UnitRole::kCpu : UnitRole::kNpu;
}

SelectorPolicy selector_policy(const Options& options, double source_fps) {
  SelectorPolicy policy;
  if (options.has("policy")) policy.kind = policy_of(options.text("policy")).value_or(PolicyKind::kFixed);
  policy.target_fps = number(options, "target_fps").value_or(source_fps);
  policy.latency_budget_ms = number(options, "latency_budget_ms");
  policy.power_budget_w = number(options, "power_budget_w");
  policy.max_temperature_c = number(options, "max_temperature_c");
  policy.min_snr_db = number(options, "min_snr_db");
  policy.dwell_s = number(options, "dwell_s").value_or(policy.dwell_s);
  policy.min_gain = number(options, "min_gain").value_or(policy.min_gain);
  policy.degrade = ladder_of(options);
  return policy;
}

std::vector<SelectorCandidate> candidate_set(const Options& options, std::span<const VariantFacts> variants) {
  const SelectorPolicy policy = selector_policy(options, 0);
  std::vector<SelectorCandidate> out;
  int preference = 0;
  for (const std::string& backend : options.texts("backends")) {
    for (const VariantFacts& variant : variants) {
      if (!in_use(policy, variant)) continue;
      for (const std::string& mode : modes_of(options, policy, backend)) {
        SelectorCandidate& candidate = out.emplace_back();
        candidate.backend = backend;
        candidate.variant = variant.name;
        candidate.performance_mode = mode;
        candidate.unit = unit_of(backend);
        candidate.preference = preference;
        // What the model's own path gives is what the variants are measured against.
        candidate.snr_db = variant.name.empty() ? std::numeric_limits<double>::infinity() : variant.snr_db;
        candidate.same_input_size = variant.same_input_size;
      }
    }
    ++preference;
  }
  return out;
}

}  // namespace sluice
