// Candidates, observations and steps of time for tests of the selector.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inference/selector/selector.h"

namespace sluice::testing {

inline SelectorCandidate candidate(std::string backend, double latency_ms, int preference,
                                   std::string variant = {}, std::string mode = {}) {
  SelectorCandidate c;
  c.unit = backend == "htp" ? UnitRole::kNpu : backend == "gpu" ? UnitRole::kGpu : UnitRole::kCpu;
  c.backend = std::move(backend);
  c.variant = std::move(variant);
  c.performance_mode = std::move(mode);
  c.preference = preference;
  c.latency_ms = {latency_ms, Basis::kMeasured};
  return c;
}

inline SelectorPolicy policy_of_kind(PolicyKind kind) {
  SelectorPolicy policy;
  policy.kind = kind;
  policy.target_fps = 30;
  return policy;
}

// A node that runs second by second under one policy.
class Bench {
 public:
  Bench(std::vector<SelectorCandidate> candidates, SelectorPolicy policy)
      : candidates_(std::move(candidates)), policy_(std::move(policy)), state_(start_state(candidates_)) {}

  // One control period in which the current candidate took `latency_ms` (0: its cool latency) at `celsius` of
  // its die.
  Decision step(double latency_ms = 0, double celsius = 0) {
    now_ += from_s(1);
    Observation seen;
    seen.dt_s = 1;
    seen.readings.at = now_;
    if (celsius > 0) seen.readings.temperature(HeatRole::kNpu).value = celsius;
    if (power_w > 0) seen.readings.power_w.value = power_w;
    if (state_.current >= 0) {
      const CandidateState& c = state_.candidates[static_cast<std::size_t>(state_.current)];
      seen.latency_ms = latency_ms > 0 ? latency_ms : c.base_ms;
      seen.fps = seen.latency_ms > 0 ? std::min(1000 / seen.latency_ms, rate) : 0;
    }
    observe(candidates_, seen, state_);
    before_ = state_;
    const Decision decision = choose(candidates_, state_, seen.readings, policy_);
    commit(candidates_, decision, now_, state_);
    return decision;
  }
  Decision steps(int count, double latency_ms = 0, double celsius = 0) {
    Decision last;
    for (int i = 0; i < count; ++i) last = step(latency_ms, celsius);
    return last;
  }
  void fail(std::size_t candidate) { note_failure(state_, candidate, now_); }

  const SelectorCandidate& current() const { return candidates_[static_cast<std::size_t>(state_.current)]; }
  SelectorState& state() { return state_; }
  SelectorPolicy& policy() { return policy_; }
  std::string said(const Decision& decision) const { return words(candidates_, before_, decision, policy_); }
  TimeNs now() const { return now_; }

  double rate = 30;
  double power_w = 0;

 private:
  std::vector<SelectorCandidate> candidates_;
  SelectorPolicy policy_;
  SelectorState state_, before_;
  TimeNs now_ = 0;
};

}  // namespace sluice::testing
