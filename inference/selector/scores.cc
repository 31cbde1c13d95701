// How good each candidate is, by the policy.
#include <cmath>

#include "inference/selector/chooser.h"
#include "inference/selector/ladder.h"

namespace sluice {
namespace {

constexpr double kHeldShare = 0.9;  // of the rate wanted: a step of the ladder that gives less does not hold
constexpr double kRegained =
    0.97;  // of the rate wanted, over the whole horizon, before the ladder is climbed again
// Of power_budget_w, which 5 % more still keep: what runs is left above the one, others are taken below the
// other, so that the noise of the readings moves nothing.
constexpr double kPowerKept = 1.03, kPowerTaken = 1.01;
// What runs is left this much nearer to max_temperature_c than others are taken, in K, for the same reason.
constexpr double kHeatKept = 0.3;
constexpr double kCoolShare = 0.01, kCoolLeast = 0.05;  // frames per second that coolness counts for at most
// A mode that asks for more than a governor leaves counts for so much less, by its clock: the slower cools
// sooner.
constexpr double kHurryShare = 0.08;
constexpr std::size_t kFollowUps = 4;
// Frames that are lost because units are shared come before the energy of those that are not.
constexpr double kCrowded = 1e-3;
constexpr double kLeastScale =
    0.5;  // [assumed] of the power that is assumed, where nothing of the unit has run

}  // namespace

double Chooser::power_of(std::size_t c) const {
  const CandidateState& s = state_.candidates[c];
  const double rate = policy_.target_fps;
  const double duty = rate > 0 ? std::min(1.0, rate * s.base_ms * 1e-3) : 1;
  return device_power(candidates_, state_, c, duty).value_or(0);
}

// Where all draw too much by what is known, one that has not run may be the one that does not.
double Chooser::hoped_power(std::size_t c) const {
  const CandidateState& s = state_.candidates[c];
  if (s.watts_scale > 0 || s.watts_basis != Basis::kAssumed) return power_of(c);
  double least = 0;
  for (std::size_t other = 0; other < candidates_.size(); ++other) {
    const CandidateState& o = state_.candidates[other];
    if (o.watts_scale <= 0 || candidates_[other].unit != candidates_[c].unit) continue;
    least = std::max(least, o.watts_scale * std::sqrt(std::min(s.watts / o.watts, o.watts / s.watts)));
  }
  const double duty = policy_.target_fps > 0 ? std::min(1.0, policy_.target_fps * s.base_ms * 1e-3) : 1;
  return state_.rest_w + (least > 0 ? least : kLeastScale) * heat_at(s, s.speed, duty);
}

Exclusion Chooser::rank_limits(const Forecaster& future, std::size_t c, Forecast& forecast) const {
  const bool current = static_cast<int>(c) == state_.current;
  if (policy_.max_temperature_c) {
    forecast.peak_c = future.peak(c, std::max(kNear, policy_.dwell_s));
    if (future.too_hot(current ? future.peak(c, kNear) - kHeatKept : forecast.peak_c))
      return Exclusion::kTooHot;
  }
  const double power = power_of(c);
  const double tolerance = current ? kPowerKept : kPowerTaken;
  if (policy_.power_budget_w && power > *policy_.power_budget_w * tolerance) return Exclusion::kPower;
  // Policy sustained counts late frames as none instead: a slow candidate may let the others cool.
  const bool late = policy_.latency_budget_ms && forecast.latency_ms > *policy_.latency_budget_ms;
  if (late && policy_.kind != PolicyKind::kSustained) return Exclusion::kTooSlow;
  return Exclusion::kNone;
}

Exclusion Chooser::exclusion(const Forecaster& future, std::size_t c, int step, Forecast& forecast) const {
  const SelectorCandidate& candidate = candidates_[c];
  if (!candidate.unusable.empty()) return Exclusion::kUnusable;
  if (!state_.candidates[c].breaker.usable()) return Exclusion::kBroken;
  if (!allowed_at(policy_.degrade, step, candidate)) return Exclusion::kStep;
  const bool own_path = candidate.variant.empty() || ladder_keys(policy_.degrade, step).variant;
  if (policy_.kind == PolicyKind::kFixed && !own_path) return Exclusion::kOtherVariant;
  const bool judged = policy_.min_snr_db && candidate.same_input_size;
  if (judged && (!candidate.snr_db || *candidate.snr_db < *policy_.min_snr_db)) return Exclusion::kAccuracy;
  return rank_limits(future, c, forecast);
}

double Chooser::simple_score(std::size_t c, const Forecast& forecast, double rate) const {
  const CandidateState& s = state_.candidates[c];
  const double latency = forecast.latency_ms;
  if (policy_.kind == PolicyKind::kFixed) return 1000.0 - candidates_[c].preference;
  if (latency <= 0) return 0;
  const double energy = std::max(1e-9, s.watts * s.base_ms);
  switch (policy_.kind) {
    case PolicyKind::kLatency: {
      const SelectorCandidate& candidate = candidates_[c];
      const double tail = candidate.latency_p95_ms.known() && candidate.latency_ms.value > 0
                              ? candidate.latency_p95_ms.value / candidate.latency_ms.value
                              : 1;
      return 1000 / (latency * std::max(1.0, tail));
    }
    case PolicyKind::kEfficiency:
      return uncrowded(c, rate) * 1000 / energy;
    case PolicyKind::kBalanced: {
      const double most = s.free_share * 1000 / latency;
      const double fps = rate > 0 ? std::min(rate, most) : most;
      return uncrowded(c, rate) * fps * fps / energy;
    }
    default:
      return s.free_share * 1000 / latency;
  }
}

// Less than 1 for what loses frames beside what other nodes run on its unit, and would not alone: frames that
// are lost to some nodes here and to others there add up where they are joined.
double Chooser::uncrowded(std::size_t c, double rate) const {
  const CandidateState& s = state_.candidates[c];
  if (rate <= 0 || s.base_ms <= 0) return 1;
  const double most = 1000 / s.base_ms;
  const double kept = std::min(1.0, s.free_share * most / std::min(rate, most));
  return kept >= kRegained ? 1 : kCrowded * kept * kept;
}

void Chooser::score_sustained(const Forecaster& future, Board& board) const {
  std::array<Forecaster::Ride, kMostCandidates> rides;
  std::array<std::size_t, kMostCandidates> order{};
  std::size_t count = 0;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    Forecast& f = board.forecasts[c];
    if (f.exclusion != Exclusion::kNone) continue;
    rides[c] = future.ride(c);
    f.fps = rides[c].fps;
    f.watts = rides[c].watts;
    f.limit_in_s = rides[c].throttled ? 0 : rides[c].limit_s;
    order[count++] = c;
  }
  std::sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count),
            [&](std::size_t a, std::size_t b) {  // many tie at target_fps: the order is the same everywhere
              return rides[a].fps != rides[b].fps ? rides[a].fps > rides[b].fps : a < b;
            });
  double hottest = 1e-9;
  for (std::size_t i = 0; i < count; ++i) hottest = std::max(hottest, rides[order[i]].watts);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t c = order[i];
    Forecast& f = board.forecasts[c];
    // Of equals, above all those that bring nothing now, the cooler.
    const double cool = kCoolShare * rides[order[0]].fps + kCoolLeast;
    f.score = f.fps + cool * (1 - f.watts / hottest);
    const double least = static_cast<int>(c) == state_.current ? kNear : std::max(kNear, policy_.dwell_s);
    if (rides[c].turn_s < least || rides[c].turn_s >= Forecaster::kHorizon) continue;
    for (std::size_t k = 0; k < std::min(count, kFollowUps); ++k) {
      const double fps = order[k] == c ? 0 : future.with_follow_up(rides[c], order[k]);
      if (fps <= f.score) continue;
      f.score = fps;
      f.follow_up = static_cast<int>(order[k]);
    }
  }
}

// A governor that has begun goes on down while the case warms, to a step it may not leave for minutes: what
// runs is worth only what that has left so far, so that a slower mode of the same session takes over early.
// Another session must still be worth its change against what this one may give when the governor lets go.
void Chooser::retreat(const Forecaster& future, Board& board) const {
  if (state_.current < 0 || !future.rides_throttled(static_cast<std::size_t>(state_.current))) return;
  if (future.lost()) return;  // nothing to keep: what ends this soonest
  double patient = 0, kept = 0;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    Forecast& f = board.forecasts[c];
    if (f.exclusion != Exclusion::kNone || moves(at(state_.current), candidates_[c])) continue;
    patient = std::max(patient, f.score);
    if (future.rides_throttled(c))
      f.score = std::min(f.score, future.throttled_rate(c) * (1 - kHurryShare * state_.candidates[c].speed));
    kept = std::max(kept, f.score);
  }
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    Forecast& f = board.forecasts[c];
    if (moves(at(state_.current), candidates_[c]) && f.score < patient * (1 + policy_.min_gain))
      f.score = std::min(f.score, kept * 0.999);
  }
}

void Chooser::score(const Forecaster& future, Board& board) const {
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    Forecast& f = board.forecasts[c];
    f.latency_ms = future.latency_now(c);
    f.fps = future.rate_of(
        c, f.latency_ms > 0 ? state_.candidates[c].speed * state_.candidates[c].base_ms / f.latency_ms : 1);
    f.limit_in_s = Forecaster::kHorizon;
    f.exclusion = exclusion(future, c, board.step, f);
    f.score = simple_score(c, f, board.rate);
  }
  if (!looks_ahead()) {
    board.holds = board.regains = true;
    return;
  }
  if (policy_.kind == PolicyKind::kSustained) {
    score_sustained(future, board);
    retreat(future, board);
  } else {
    for (std::size_t c = 0; c < candidates_.size(); ++c) {
      Forecast& f = board.forecasts[c];
      if (f.exclusion != Exclusion::kNone) continue;
      const Forecaster::Ride ride = future.ride(c);
      f.limit_in_s = ride.throttled ? 0 : ride.limit_s;
      f.fps = ride.fps;
    }
  }
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const Forecast& f = board.forecasts[c];
    if (f.exclusion != Exclusion::kNone) continue;
    const bool later = f.limit_in_s >= std::max(kNear, policy_.dwell_s);
    const double full = future.rate_of(c, state_.candidates[c].speed);
    const bool enough = board.rate <= 0 || full >= kHeldShare * board.rate;
    board.holds |= enough && (later || (board.rate > 0 && f.fps >= kHeldShare * board.rate));
    board.regains |= enough && f.limit_in_s >= Forecaster::kHorizon &&
                     (board.rate <= 0 || f.fps >= kRegained * board.rate);
  }
}

}  // namespace sluice
