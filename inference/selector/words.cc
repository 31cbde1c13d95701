// Decisions in words.
#include <fmt/format.h>

#include "inference/selector/selector.h"

namespace sluice {
namespace {

std::string number(std::string_view format, double value) { return fmt::format(fmt::runtime(format), value); }

const SelectorCandidate& at(std::span<const SelectorCandidate> candidates, int index) {
  return candidates[static_cast<std::size_t>(index)];
}

// What brought next to nothing is beaten by any number of times.
std::string percent(double gain) { return gain > 10 ? "more than 10 times" : number("{:.0f} %", gain * 100); }

std::string why_left(const Decision& decision, const SelectorPolicy& policy, std::string_view name) {
  const Forecast& left = decision.forecasts[static_cast<std::size_t>(decision.rival)];
  std::string text(name);
  switch (left.exclusion) {
    case Exclusion::kTooHot:
      return text + number(" may reach {:.1f} degrees C", left.peak_c) +
             number(", max_temperature_c is {:g}", policy.max_temperature_c.value_or(0));
    case Exclusion::kTooSlow:
      return text + number(" takes {:.1f} ms", left.latency_ms) +
             number(", latency_budget_ms is {:g}", policy.latency_budget_ms.value_or(0));
    case Exclusion::kPower:
      return text + number(" draws more than power_budget_w, {:g}", policy.power_budget_w.value_or(0));
    default:
      return text + ": " + std::string(name_of(left.exclusion));
  }
}

std::string headline(std::span<const SelectorCandidate> candidates, const SelectorState& before,
                     const Decision& decision, const SelectorPolicy& policy) {
  const std::string rival = decision.rival >= 0 ? describe(at(candidates, decision.rival)) : "";
  const std::string policy_text = "policy " + std::string(name_of(policy.kind));
  switch (decision.cause) {
    case Cause::kStart:
      return policy_text + ": the first choice";
    case Cause::kBest:
      return policy_text + ": still the best";
    case Cause::kGain:
      return policy_text + ": better than " + rival + " by " + percent(decision.gain);
    case Cause::kDwell:
      return rival + " is better by " + percent(decision.gain) + ", but dwell_s has not passed";
    case Cause::kSmallGain:
      return rival + " is better by " + percent(decision.gain) + ", less than is worth a change";
    case Cause::kRecovered:
      return policy_text + ": works again and stands before " + rival;
    case Cause::kFailure:
      return rival + " failed; failures of late: " +
             std::to_string(before.candidates[static_cast<std::size_t>(decision.rival)].breaker.failures());
    case Cause::kExcluded:
    case Cause::kHeatLimit:
      return why_left(decision, policy, rival);
    case Cause::kScout:
      return policy_text + ": tried while it is cool, nothing that has run keeps max_temperature_c for long";
    case Cause::kStepDown:
      return "degrade: step " + std::to_string(decision.step) +
             ", before it nothing keeps its rate and the limits";
    case Cause::kStepUp:
      return "degrade: back to step " + std::to_string(decision.step) +
             ", which keeps its rate and the limits again";
    case Cause::kStepTrial:
      return "degrade: back to step " + std::to_string(decision.step) +
             " on trial, it is cooler than when that was left";
    case Cause::kNothing:
      return "no candidate keeps all limits; the least bad is used";
  }
  return {};
}

std::string prediction(const SelectorCandidate& candidate, const Forecast& forecast) {
  std::string text = describe(candidate) + " ";
  if (forecast.exclusion == Exclusion::kAccuracy && !candidate.snr_db)
    return text + "left out: its accuracy is not known, min_snr_db asks for one";
  if (forecast.exclusion == Exclusion::kNone && forecast.latency_ms <= 0) return text + "unknown";
  if (forecast.exclusion != Exclusion::kNone) {
    text += name_of(forecast.exclusion);
    // By how much: what is left out must be told as well as what is taken.
    if (forecast.exclusion == Exclusion::kTooHot) text += number(" ({:.1f} degrees C)", forecast.peak_c);
    if (forecast.exclusion == Exclusion::kTooSlow) text += number(" ({:.1f} ms)", forecast.latency_ms);
    return text;
  }
  text += number("{:.1f} fps", forecast.fps) + number(", {:.1f} ms", forecast.latency_ms);
  if (forecast.limit_in_s < Forecaster::kHorizon)
    text += forecast.limit_in_s > 0 ? number(", throttled in {:.0f} s", forecast.limit_in_s) : ", throttled";
  return text;
}

}  // namespace

std::string words(std::span<const SelectorCandidate> candidates, const SelectorState& before,
                  const Decision& decision, const SelectorPolicy& policy) {
  std::string text = headline(candidates, before, decision, policy);
  if (decision.blind) text += "; no temperature is known, latency drift alone was used";
  text += "; predicted:";
  for (std::size_t c = 0; c < decision.count; ++c)
    text += (c == 0 ? " " : "; ") + prediction(candidates[c], decision.forecasts[c]);
  return text;
}

}  // namespace sluice
