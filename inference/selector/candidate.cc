#include "inference/selector/candidate.h"

#include <array>
#include <utility>

namespace sluice {
namespace {

constexpr std::array<std::pair<PolicyKind, std::string_view>, 6> kPolicies = {{
    {PolicyKind::kFixed, "fixed"},
    {PolicyKind::kLatency, "latency"},
    {PolicyKind::kThroughput, "throughput"},
    {PolicyKind::kEfficiency, "efficiency"},
    {PolicyKind::kBalanced, "balanced"},
    {PolicyKind::kSustained, "sustained"},
}};

}  // namespace

std::string_view name_of(PolicyKind kind) {
  for (const auto& [value, name] : kPolicies)
    if (value == kind) return name;
  return {};
}

std::optional<PolicyKind> policy_of(std::string_view name) {
  for (const auto& [value, known] : kPolicies)
    if (known == name) return value;
  return std::nullopt;
}

std::string_view name_of(Basis basis) {
  switch (basis) {
    case Basis::kUnknown:
      return "unknown";
    case Basis::kAssumed:
      return "assumed";
    case Basis::kPublished:
      return "published";
    case Basis::kModelled:
      return "modelled";
    case Basis::kMeasured:
      return "measured";
  }
  return {};
}

std::string describe(const SelectorCandidate& candidate) {
  std::string text = candidate.backend;
  if (!candidate.variant.empty()) text += ", variant " + candidate.variant;
  if (!candidate.performance_mode.empty()) text += ", " + candidate.performance_mode;
  return text;
}

}  // namespace sluice
