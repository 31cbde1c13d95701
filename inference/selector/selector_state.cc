#include "inference/selector/selector_state.h"

#include <algorithm>
#include <cmath>

#include "inference/selector/approach.h"

namespace sluice {
namespace {

constexpr double kAssumedWatts = 4;    // [assumed] of a unit at full clock, where energy is unknown
constexpr double kStaticShare = 0.15;  // [assumed] of active power that does not follow the clock
constexpr double kLatencyMemory = 3;   // s
// Runs that are faster than the base by more than their noise, and how fast it follows them.
constexpr double kFaster = 0.98, kFasterThanBase = 0.2;
constexpr double kMostWatts = 7;                      // [assumed]
constexpr double kUntriedDoubt = 1.6;                 // [assumed] of a unit that has hardly run
constexpr double kTried = 15;                         // s
constexpr double kFullClock = 0.95;                   // of full speed, the noise of latencies allowed for
constexpr double kPowerMemory = 1.5, kScaleTime = 8;  // s
constexpr double kPowerJump = 0.15;                   // of a reading: far more than its noise
constexpr double kShortestPeriod = 0.05, kLongestPeriod = 5;  // s; a suspended machine wakes after hours
constexpr TimeNs kMoveForgiven = from_s(900);

double clock_power(double speed) {
  return kStaticShare + (1 - kStaticShare) * speed * speed * std::sqrt(speed);
}

double fastest_of_unit(std::span<const SelectorCandidate> candidates, const SelectorCandidate& like) {
  double best = 0;
  for (const SelectorCandidate& c : candidates) {
    if (c.backend != like.backend || c.variant != like.variant || !c.latency_ms.known()) continue;
    if (best == 0 || c.latency_ms.value < best) best = c.latency_ms.value;
  }
  return best;
}

// A candidate's first seconds tell its scale, the rest being as before; later changes are the rest's. At a
// throttled clock neither is told: how power follows the clock is only assumed.
void learn_power(CandidateState& c, double load_w, double watts, double dt, double& rest_w) {
  if (c.base_ms < kFullClock * c.now_ms) return;
  if (c.watts_basis != Basis::kAssumed) c.watts_scale = 1;
  if (c.watts_basis == Basis::kAssumed && c.scaled_s < kScaleTime && load_w > 0) {
    const double now = std::max(0.05, (watts - rest_w) / load_w);
    c.watts_scale = c.watts_scale > 0 ? approach(c.watts_scale, now, dt, kPowerMemory) : now;
    c.scaled_s += dt;
  } else {
    // A jump counts at once: part of it would be learned as the power of what is switched to because of it.
    const double rest = watts - c.watts_scale * load_w;
    const bool jumped = std::abs(rest - rest_w) > kPowerJump * watts;
    rest_w = std::max(0.0, jumped ? rest : approach(rest_w, rest, dt, kPowerMemory));
  }
}

// How far an assumption about the clock's power may be off between two candidates: [assumed] the square root
// of their ratio; right for exponents of 2 to 3 and static shares of 0.05 to 0.3.
double clock_doubt(const CandidateState& a, const CandidateState& b) {
  const double ratio = a.watts > b.watts ? a.watts / b.watts : b.watts / a.watts;
  return a.watts_basis == Basis::kAssumed ? std::sqrt(ratio) : 1;
}

}  // namespace

std::optional<double> device_power(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                                   std::size_t candidate, double duty) {
  const CandidateState& c = state.candidates[candidate];
  const double watts = heat_at(c, c.speed, duty);
  if (c.watts_basis != Basis::kAssumed) return state.rest_w + watts;
  double scale = c.watts_scale;
  for (std::size_t other = 0; other < state.count && c.watts_scale <= 0; ++other) {
    const CandidateState& o = state.candidates[other];
    if (o.watts_scale <= 0 || candidates[other].unit != candidates[candidate].unit) continue;
    const double likely = o.watts_scale * clock_doubt(c, o);
    scale = scale > 0 ? std::min(scale, likely) : likely;
  }
  if (scale > 0) return state.rest_w + scale * watts;
  if (state.rest_w <= 0) return std::nullopt;
  return state.rest_w + kMostWatts / kAssumedWatts * watts;
}

double heat_doubt(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                  std::size_t candidate) {
  const CandidateState& c = state.candidates[candidate];
  double doubt = kUntriedDoubt;
  for (std::size_t other = 0; other < state.count; ++other) {
    const CandidateState& o = state.candidates[other];
    if (candidates[other].unit != candidates[candidate].unit) continue;
    const double untried = 1 - std::min(1.0, o.ran_s / kTried);
    doubt = std::min(doubt, clock_doubt(c, o) + (kUntriedDoubt - 1) * untried);
  }
  return doubt;
}

double heat_at(const CandidateState& candidate, double speed, double duty) {
  return candidate.watts * duty * clock_power(speed) / clock_power(candidate.speed);
}

SelectorState start_state(std::span<const SelectorCandidate> candidates) {
  SelectorState state;
  state.count = std::min(candidates.size(), kMostCandidates);
  for (std::size_t i = 0; i < state.count; ++i) {
    const SelectorCandidate& c = candidates[i];
    CandidateState& s = state.candidates[i];
    s.base_ms = s.now_ms = c.latency_ms.value;
    const double fastest = fastest_of_unit(candidates, c);
    s.speed = fastest > 0 && c.latency_ms.value > 0 ? fastest / c.latency_ms.value : 1;
    if (c.energy_mj.known() && c.latency_ms.value > 0) {
      s.watts = c.energy_mj.value / c.latency_ms.value;  // mJ per ms
      s.watts_basis = c.energy_mj.basis;
    } else {
      s.watts = kAssumedWatts * clock_power(s.speed);
      s.watts_basis = Basis::kAssumed;
    }
  }
  return state;
}

void observe(std::span<const SelectorCandidate> candidates, const Observation& seen, SelectorState& state) {
  const double dt = std::clamp(seen.dt_s, kShortestPeriod, kLongestPeriod);
  state.observed_at = seen.readings.at;
  if (state.moves > 0 && seen.readings.at - state.moved_at > kMoveForgiven) {
    --state.moves;
    state.moved_at = seen.readings.at;
  }
  if (seen.readings.at - state.stepped_at > kMoveForgiven) state.rises = 0;
  HeatLoad load;
  if (state.current >= 0) {
    const auto index = static_cast<std::size_t>(state.current);
    CandidateState& c = state.candidates[index];
    load.unit = candidates[index].unit;
    if (seen.latency_ms > 0) {
      const bool first = c.base_ms <= 0;
      if (first) c.base_ms = c.now_ms = seen.latency_ms;
      c.now_ms = approach(c.now_ms, seen.latency_ms, dt, kLatencyMemory);
      if (c.now_ms < kFaster * c.base_ms) c.base_ms += kFasterThanBase * (c.now_ms / kFaster - c.base_ms);
      c.measured_at = seen.readings.at;
      const double speed = c.speed * std::min(1.0, c.base_ms / seen.latency_ms);
      const double duty = std::min(1.0, seen.fps * seen.latency_ms * 1e-3);
      load.watts = heat_at(c, speed, duty);
      c.ran_s += dt * duty;
      if (seen.readings.power_w.value)
        learn_power(c, load.watts, *seen.readings.power_w.value, dt, state.rest_w);
    }
    state.heat.observe(dt, load, seen.readings);
    if (seen.latency_ms > 0)
      state.trips.observe(dt, load.unit, c.speed, c.speed * std::min(1.0, c.base_ms / seen.latency_ms),
                          state.heat);
    return;
  }
  if (seen.readings.power_w.value) state.rest_w = *seen.readings.power_w.value;
  state.heat.observe(dt, load, seen.readings);
}

void note_failure(SelectorState& state, std::size_t candidate, TimeNs now) {
  state.candidates[candidate].breaker.failed(now);
}

void note_probe(SelectorState& state, std::size_t candidate, TimeNs now, double latency_ms) {
  CandidateState& c = state.candidates[candidate];
  c.breaker.succeeded(now);
  if (latency_ms <= 0) return;
  if (c.base_ms <= 0 || latency_ms < c.base_ms) c.base_ms = latency_ms;
  c.now_ms = latency_ms;
  c.measured_at = now;
}

double unit_ran_s(std::span<const SelectorCandidate> candidates, const SelectorState& state, UnitRole unit) {
  double ran_s = 0;
  for (std::size_t c = 0; c < candidates.size(); ++c)
    if (candidates[c].unit == unit) ran_s += state.candidates[c].ran_s;
  return ran_s;
}

}  // namespace sluice
