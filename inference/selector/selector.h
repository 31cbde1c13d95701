// choose(): which candidate and which step of the ladder an infer node should run now, and why.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "inference/selector/forecast.h"
#include "inference/selector/selector_state.h"

namespace sluice {

enum class Cause : std::uint8_t {
  kStart,      // the first choice
  kBest,       // what runs is the best
  kGain,       // something is better by at least min_gain
  kDwell,      // something is better, but dwell_s has not passed
  kSmallGain,  // something is better, but by less than min_gain
  kFailure,    // what ran failed
  kRecovered,  // policy fixed: an earlier entry works again
  kExcluded,   // what ran breaks a limit now (latency, power, accuracy, step)
  kHeatLimit,  // what ran would exceed max_temperature_c
  kScout,      // a unit that has hardly run is tried while there is room below that limit
  kStepDown,   // the ladder: nothing at the step before keeps its rate or the limits
  kStepUp,     // the ladder: the step before would keep them again
  kStepTrial,  // the ladder: cooler than when the step before was left; tried whether it keeps them
  kNothing,    // no candidate may run; the least bad one is kept
};

struct Decision {
  int candidate = -1;  // -1: there are none at all
  int step = 0;
  bool changed = false;  // candidate or step differs from the state's
  Cause cause = Cause::kBest;
  int rival = -1;      // the candidate that was left, or that was not worth it
  double gain = 0;     // of the chosen over the current, or of the rival over it
  bool blind = false;  // policy needs heat, no temperature is known: latency drift alone was used
  std::size_t count = 0;
  std::array<Forecast, kMostCandidates> forecasts;  // by candidate
};

// Pure: the same arguments give the same decision on every machine. `readings.at` is the present, on the
// run's clock. No allocation.
Decision choose(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                const Readings& readings, const SelectorPolicy& policy);

// Enters a decision that is carried out at `now`.
void commit(std::span<const SelectorCandidate> candidates, const Decision& decision, TimeNs now,
            SelectorState& state);

// The decision in words: what was chosen, why, and what the alternatives were predicted to give.
std::string words(std::span<const SelectorCandidate> candidates, const SelectorState& before,
                  const Decision& decision, const SelectorPolicy& policy);

// The candidate to measure again off the hot path now, or -1: one whose breaker's pause is over, or whose
// latency is older than `stale` and could win. Never the current one.
int probe_wanted(const SelectorState& state, TimeNs now, TimeNs stale);

}  // namespace sluice
