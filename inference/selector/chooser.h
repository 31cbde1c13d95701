// One call of choose(), taken apart: scores.cc rates the candidates, selector.cc decides. Internal to the
// selector.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "inference/selector/selector.h"

namespace sluice {

constexpr double kNear = 6;  // s: the longest sensor lag and two control periods

// A change that takes another session.
inline bool moves(const SelectorCandidate& a, const SelectorCandidate& b) {
  return a.backend != b.backend || a.variant != b.variant;
}

// One call of choose().
class Chooser {
 public:
  Chooser(std::span<const SelectorCandidate> candidates, const SelectorState& state, const Readings& readings,
          const SelectorPolicy& policy)
      : candidates_(candidates.first(state.count)), state_(state), readings_(readings), policy_(policy) {}

  Decision run();

 private:
  // The candidates as they stand at one step of the ladder.
  struct Board {
    int step = 0;
    double rate = 0;
    std::array<Forecast, kMostCandidates> forecasts;
    int best = -1;
    bool forced = false;   // no candidate keeps all limits; `best` is the least bad
    bool holds = false;    // some candidate keeps its rate for a while
    bool regains = false;  // ... over the whole horizon
  };

  Board look(int step) const;
  Exclusion exclusion(const Forecaster& future, std::size_t c, int step, Forecast& forecast) const;
  Exclusion rank_limits(const Forecaster& future, std::size_t c, Forecast& forecast) const;
  void score(const Forecaster& future, Board& board) const;
  void score_sustained(const Forecaster& future, Board& board) const;
  void retreat(const Forecaster& future, Board& board) const;
  double simple_score(std::size_t c, const Forecast& forecast, double rate) const;
  double uncrowded(std::size_t c, double rate) const;
  double power_of(std::size_t c) const;  // 0: unknown
  void pick(Board& board) const;
  double hoped_peak(std::size_t c) const;
  double hoped_power(std::size_t c) const;
  bool worth_attempt(const Forecaster& future, std::size_t c) const;
  double heat_badness(std::size_t c) const;
  int least_bad(const Board& board) const;
  Cause ladder_step(Board& board) const;
  bool step_hurries(const Board& board) const;
  bool dwelt() const;
  bool on_trial() const;
  bool may_try() const;
  double gain_of(const Forecast& now, const Forecast& next, double rate) const;
  void damp(const Board& board, Decision& decision) const;
  int same_session(const Board& board) const;
  int scout(const Board& board) const;
  bool waited(const SelectorCandidate& next) const;
  bool hurried(const Board& board) const;
  bool looks_ahead() const {
    return policy_.kind == PolicyKind::kSustained || (!policy_.degrade.empty() && state_.heat.sees_any());
  }
  double since(TimeNs then) const { return to_s(readings_.at - then); }
  const SelectorCandidate& at(int index) const { return candidates_[static_cast<std::size_t>(index)]; }

  std::span<const SelectorCandidate> candidates_;
  const SelectorState& state_;
  const Readings& readings_;
  const SelectorPolicy& policy_;
};

}  // namespace sluice
