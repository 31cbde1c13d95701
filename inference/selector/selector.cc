#include "inference/selector/selector.h"

#include <limits>

#include "inference/selector/chooser.h"
#include "inference/selector/ladder.h"

namespace sluice {
namespace {

// Policy sustained steers by the performance mode, which keeps the session: only noise to beat.
constexpr double kModeGain = 0.03;
constexpr double kClimbDwells = 3;  // how many dwells a step lasts at least before it is climbed again
// ... before it is climbed against the prediction, and how many dwells that is not judged by it.
constexpr double kTryDwells = 12, kTrialDwells = 3, kLeastTrialDwell = 1;
// Temperatures at which such a trial is due: so far below where the step was taken, in K, and so far below
// where a climb of late began that did not last.
constexpr double kHeadroom = 5, kMilder = 3;
constexpr TimeNs kClimbJudged = from_s(900);
// Dwells between changes of backend or variant, by how many there were of late: at most six in half an hour.
constexpr std::array<double, 7> kMoveDwells = {0, 1, 2, 4, 8, 30, 90};
// Of two that are too hot, this much cooler is worth a change, in K: after the dwell, and at once.
constexpr double kCooler = 0.3, kWorthCooling = 1.5;
// A candidate that brings nothing is left for one that gives at least this share of the rate wanted.
constexpr double kLeastShare = 0.05;
// How far ahead what runs is judged where all are too hot, in s, and by how many deviations: it shows what it
// heats.
constexpr double kShownAhead = 100, kShownDoubts = 0.5;
// How far ahead candidates that are all too hot are compared, in s.
constexpr double kLongNear = 60;
// K by which an attempt is worse than what is sure to keep the limit, if without the usual margin.
constexpr double kAttempt = 1000;
// Such an attempt may draw this much more than what runs [assumed powers], until that is over the limit by
// more than readings stray, in K.
constexpr double kAttemptWatts = 1.5, kPlainlyOver = 0.3;
// What gets this much hotter than the limit, or than it is now, within so many s, if things go as is
// likeliest, is no attempt at all, whatever may be hoped of it: only nothing is known of it.
constexpr double kFarOver = 2, kAttemptAhead = 30;

}  // namespace

// Where all are too hot by what is known, what is hardly known may still be the one that is not.
double Chooser::hoped_peak(std::size_t c) const {
  const Forecaster future(candidates_, state_, policy_, policy_.target_fps);
  return future.peak(c, std::max(kLongNear, policy_.dwell_s), -Forecaster::kDoubts);
}

// False for what would heat far more than what runs: its hope is great only because nothing is known of it.
bool Chooser::worth_attempt(const Forecaster& future, std::size_t c) const {
  if (state_.current < 0) return true;
  const auto current = static_cast<std::size_t>(state_.current);
  if (state_.candidates[c].watts <= kAttemptWatts * state_.candidates[current].watts) return true;
  return future.hottest_now() > *policy_.max_temperature_c + kPlainlyOver;
}

// Of candidates that are all nearer to the limit than the margin: one that keeps the limit itself, for as far
// as is predicted and whatever is not known of it, is not left for an attempt with another that may heat far
// more.
double Chooser::heat_badness(std::size_t c) const {
  const Forecaster future(candidates_, state_, policy_, policy_.target_fps);
  const bool runs = static_cast<int>(c) == state_.current;
  const double surely =
      runs ? future.peak(c, kShownAhead, kShownDoubts) : future.peak(c, Forecaster::kHorizon);
  if (surely <= *policy_.max_temperature_c) return surely;
  const double bearable = std::max(future.hottest_now(), *policy_.max_temperature_c) + kFarOver;
  if (future.peak(c, kAttemptAhead, 0) > bearable) return 3 * kAttempt + hoped_peak(c);
  return (worth_attempt(future, c) ? kAttempt : 2 * kAttempt) + hoped_peak(c);
}

int Chooser::least_bad(const Board& board) const {
  int best = -1;
  double lowest = std::numeric_limits<double>::infinity();
  Exclusion mildest = Exclusion::kNone;
  for (const Exclusion level : {Exclusion::kTooSlow, Exclusion::kPower, Exclusion::kTooHot}) {
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      const Forecast& f = board.forecasts[c];
      if (f.exclusion != level || (best >= 0 && mildest != level)) continue;
      // Equals do not take turns.
      const double slow =
          static_cast<int>(c) == state_.current ? f.latency_ms / (1 + policy_.min_gain) : f.latency_ms;
      const double badness = level == Exclusion::kTooSlow ? slow
                             : level == Exclusion::kPower ? hoped_power(c)
                                                          : heat_badness(c);
      if (badness >= lowest) continue;
      lowest = badness;
      best = static_cast<int>(c);
      mildest = level;
    }
  }
  return best;
}

void Chooser::pick(Board& board) const {
  double highest = -1;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const Forecast& f = board.forecasts[c];
    // Policy fixed leaves an entry only when it fails; limits move its ladder.
    const bool limit = f.exclusion >= Exclusion::kTooSlow;
    if (f.exclusion != Exclusion::kNone && !(limit && policy_.kind == PolicyKind::kFixed)) continue;
    // Equal ones: what runs, then what the user wants more.
    const bool better = f.score > highest * (1 + 1e-9);
    const bool equal = !better && f.score >= highest * (1 - 1e-9);
    if (!better && !(equal && static_cast<int>(c) == state_.current)) continue;
    highest = f.score;
    board.best = static_cast<int>(c);
  }
  if (board.best < 0) board.best = least_bad(board);
  const Exclusion kept =
      board.best < 0 ? Exclusion::kNone : board.forecasts[static_cast<std::size_t>(board.best)].exclusion;
  board.forced = board.best < 0 || kept != Exclusion::kNone;
  if (board.forced) board.holds = board.regains = false;
}

Chooser::Board Chooser::look(int step) const {
  Board board;
  board.step = step;
  board.rate = rate_at(policy_.degrade, step, policy_.target_fps);
  const Forecaster future(candidates_, state_, policy_, board.rate);
  score(future, board);
  pick(board);
  return board;
}

// The prediction does not count yet: it has learned from what made the step necessary.
bool Chooser::on_trial() const {
  if (!state_.trial || since(state_.stepped_at) >= policy_.dwell_s * kTrialDwells) return false;
  const UnitRole unit = at(state_.current).unit;
  const Forecaster future(candidates_, state_, policy_, policy_.target_fps);
  return !state_.trips.throttled(unit) && !future.over_limit_now();
}

// True when it has become cooler than the prediction can account for: what heated it may not have been this
// node's own load, and nothing but a trial tells.
bool Chooser::may_try() const {
  if (!state_.heat.sees_any() || state_.trips.throttled(at(state_.current).unit)) return false;
  const HeatValues now = state_.heat.now();
  for (std::size_t v = 0; v < ThermalPredictor::kSensors; ++v)
    if (state_.heat.sees(static_cast<HeatVariable>(v)) && now[v] > state_.trial_below[v]) return false;
  return true;
}

// A step of the ladder is a switch as well: dwell_s lies between any two of them.
bool Chooser::dwelt() const {
  return since(std::max(state_.switched_at, state_.stepped_at)) >= policy_.dwell_s;
}

// True when a step down does not wait for the dwell: what runs, or the best that could, is too hot, or all
// that may run have failed.
bool Chooser::step_hurries(const Board& board) const {
  if (state_.current < 0 || board.best < 0) return true;
  const auto hot = [&](int c) {
    return board.forecasts[static_cast<std::size_t>(c)].exclusion == Exclusion::kTooHot;
  };
  return board.forced && (hot(state_.current) || hot(board.best));
}

// Moves `board` one step down or up when that is due; kBest: it is not.
Cause Chooser::ladder_step(Board& board) const {
  const int last = static_cast<int>(policy_.degrade.size());
  const bool starts = state_.current < 0;  // the ladder moves only where nothing may run before its steps
  if (last == 0 || (starts && board.best >= 0)) return Cause::kBest;
  if (!board.holds && board.step < last) {
    if (!starts && on_trial()) return Cause::kBest;
    if (!dwelt() && !step_hurries(board)) return Cause::kBest;
    for (int step = board.step + 1; step <= last; ++step) {  // a step that leaves no candidate is passed over
      const Board next = look(step);
      if (next.best < 0) continue;
      board = next;
      return Cause::kStepDown;
    }
    return Cause::kBest;
  }
  if (board.step == 0 || starts) return Cause::kBest;
  const double waited = since(state_.stepped_at), longer = 1 << std::min(state_.rises, 5);
  if (!dwelt() || waited < policy_.dwell_s * kClimbDwells * longer) return Cause::kBest;
  const Board above = look(board.step - 1);
  if (above.best < 0) return Cause::kBest;
  const double trial_dwell = std::max(policy_.dwell_s, kLeastTrialDwell);
  const bool tries = !above.regains && waited >= trial_dwell * kTryDwells * longer && may_try();
  if (!above.regains && !tries) return Cause::kBest;
  board = above;
  return tries ? Cause::kStepTrial : Cause::kStepUp;
}

bool Chooser::waited(const SelectorCandidate& next) const {
  if (!dwelt()) return false;
  if (!moves(at(state_.current), next)) return true;
  const auto earlier = std::min(static_cast<std::size_t>(state_.moves), kMoveDwells.size() - 1);
  return since(state_.moved_at) >= policy_.dwell_s * kMoveDwells[earlier];
}

// True when what runs must be left at once.
bool Chooser::hurried(const Board& board) const {
  const Exclusion why = board.forecasts[static_cast<std::size_t>(state_.current)].exclusion;
  return why == Exclusion::kUnusable || why == Exclusion::kBroken || why == Exclusion::kStep ||
         why == Exclusion::kTooHot;
}

// Relative to what runs; where that brings next to nothing, to a twentieth of the rate wanted.
double Chooser::gain_of(const Forecast& now, const Forecast& next, double rate) const {
  const bool frames = policy_.kind == PolicyKind::kSustained && rate > 0;
  const double base = std::max(now.score, frames ? kLeastShare * rate : 1e-9);
  return (next.score - now.score) / base;
}

void Chooser::damp(const Board& board, Decision& decision) const {
  const Forecast& now = board.forecasts[static_cast<std::size_t>(state_.current)];
  const Forecast& next = board.forecasts[static_cast<std::size_t>(board.best)];
  decision.rival = board.best;
  decision.gain = gain_of(now, next, board.rate);
  decision.candidate = state_.current;
  if (board.best == state_.current) {
    decision.rival = -1;
    decision.cause = board.forced ? Cause::kNothing : Cause::kBest;
    return;
  }
  const bool excluded = now.exclusion != Exclusion::kNone;
  const double cooler = waited(at(board.best)) ? kCooler : kWorthCooling;
  if (now.exclusion == Exclusion::kTooHot && next.exclusion == Exclusion::kTooHot &&
      heat_badness(static_cast<std::size_t>(board.best)) >
          heat_badness(static_cast<std::size_t>(state_.current)) - cooler) {
    decision.cause = Cause::kNothing;
    return;
  }
  const bool fixed = policy_.kind == PolicyKind::kFixed;
  const bool free_mode = policy_.kind == PolicyKind::kSustained && !moves(at(state_.current), at(board.best));
  const double least = free_mode ? kModeGain : policy_.min_gain;
  if (hurried(board)) {
    decision.candidate = waited(at(board.best)) ? board.best : same_session(board);
  } else {
    if (!excluded && !fixed && decision.gain < std::min(least, policy_.min_gain)) {
      decision.cause = Cause::kSmallGain;
      return;
    }
    if (!waited(at(board.best))) {
      decision.cause = Cause::kDwell;
      return;
    }
  }
  if (!hurried(board)) decision.candidate = board.best;
  decision.rival = state_.current;
  decision.cause = now.exclusion == Exclusion::kBroken || now.exclusion == Exclusion::kUnusable
                       ? Cause::kFailure
                   : now.exclusion == Exclusion::kTooHot ? Cause::kHeatLimit
                   : excluded                            ? Cause::kExcluded
                   : fixed                               ? Cause::kRecovered
                                                         : Cause::kGain;
}

// The best candidate that keeps the session, else the best at all: what must be left at once is left for a
// slower mode where one will do.
int Chooser::same_session(const Board& board) const {
  int found = -1;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const Forecast& f = board.forecasts[c];
    if (f.exclusion != Exclusion::kNone || moves(at(state_.current), candidates_[c])) continue;
    if (found < 0 || f.score > board.forecasts[static_cast<std::size_t>(found)].score)
      found = static_cast<int>(c);
  }
  return found < 0 ? board.best : found;
}

Decision Chooser::run() {
  Decision decision;
  decision.count = candidates_.size();
  decision.step = state_.step;
  Board board = look(state_.step);
  const Cause stepped = ladder_step(board);
  decision.step = board.step;
  decision.forecasts = board.forecasts;
  decision.blind =
      (policy_.kind == PolicyKind::kSustained || policy_.max_temperature_c) && !state_.heat.sees_any();
  decision.candidate = state_.current;
  if (board.best < 0) {
    decision.cause = Cause::kNothing;
  } else if (state_.current < 0) {
    decision.candidate = board.best;
    decision.cause = stepped != Cause::kBest ? stepped : board.forced ? Cause::kNothing : Cause::kStart;
  } else {
    damp(board, decision);
    if (stepped != Cause::kBest) decision.cause = stepped;
    const bool stays = stepped == Cause::kBest && decision.candidate == state_.current;
    if (const int unknown = stays ? scout(board) : -1; unknown >= 0) {
      decision.candidate = unknown;
      decision.rival = state_.current;
      decision.cause = Cause::kScout;
    }
  }
  decision.changed = decision.candidate != state_.current || decision.step != state_.step;
  return decision;
}

Decision choose(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                const Readings& readings, const SelectorPolicy& policy) {
  return Chooser(candidates, state, readings, policy).run();
}

namespace {

void commit_step(const Decision& decision, TimeNs now, SelectorState& state) {
  const HeatValues heat = state.heat.now();
  const bool up = decision.step < state.step;
  // A climb of late did not last.
  const bool early = !up && state.rises > 0 && now - state.stepped_at < kClimbJudged;
  if (up) {
    ++state.rises;
    state.climbed_at = heat;
  } else {
    for (std::size_t v = 0; v < kHeatVariables; ++v)
      state.trial_below[v] = early ? state.climbed_at[v] - kMilder : heat[v] - kHeadroom;
  }
  state.trial = decision.cause == Cause::kStepTrial;
  state.step = decision.step;
  state.stepped_at = now;
}

}  // namespace

void commit(std::span<const SelectorCandidate> candidates, const Decision& decision, TimeNs now,
            SelectorState& state) {
  if (decision.step != state.step) commit_step(decision, now, state);
  if (decision.candidate == state.current || decision.candidate < 0) return;
  if (state.current >= 0) {
    state.switched_at = now;
    if (moves(candidates[static_cast<std::size_t>(state.current)],
              candidates[static_cast<std::size_t>(decision.candidate)])) {
      ++state.moves;
      state.moved_at = now;
    }
  }
  state.current = decision.candidate;
}

int probe_wanted(const SelectorState& state, TimeNs now, TimeNs stale) {
  int oldest = -1;
  for (std::size_t c = 0; c < state.count; ++c) {
    const CandidateState& s = state.candidates[c];
    if (static_cast<int>(c) == state.current) continue;
    if (s.breaker.probe_due(now)) return static_cast<int>(c);
    if (!s.breaker.usable() || now - s.measured_at < stale) continue;
    if (oldest < 0 || s.measured_at < state.candidates[static_cast<std::size_t>(oldest)].measured_at)
      oldest = static_cast<int>(c);
  }
  return oldest;
}

}  // namespace sluice
