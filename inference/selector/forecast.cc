#include "inference/selector/forecast.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr double kMargin = 0.8;  // K below max_temperature_c, and so many spreads of the measurements more
constexpr double kMarginSpreads = 1.5;
constexpr double kFree = 0.97;   // of a mode's clock: less is throttling
constexpr double kShown = 0.93;  // ... and less than this is none of the noise of latencies
constexpr double kFineStep = 2;  // s
constexpr int kPeakParts = 6;    // steps of a look ahead for the peak
// [assumed] a governor that nobody has met yet: it exists so likely, acts on the case between these, and then
// leaves little of the clock for long, more later.
constexpr double kLikely = 0.95, kMildest = 40, kWarmest = 52;
// [assumed] of what is assumed otherwise, at best; and for how long that is believed, in s.
constexpr double kHope = 0.5, kTriedFor = 30;
constexpr double kCaught = 0.3, kCaughtLater = 0.5;
// [assumed] where that makes every frame late, it counts for so much less than nothing, as a share of the
// full rate: what is lost to the first throttling is not made up for.
constexpr double kLateCost = 0.3;

// Dies move within seconds, the case within minutes.
double next_step(double at) { return at < 20 ? kFineStep : at < 60 ? 5 : 20; }

constexpr std::array<HeatVariable, 3> kDies = {HeatVariable::kNpu, HeatVariable::kGpu, HeatVariable::kCpu};

}  // namespace

std::string_view name_of(Exclusion exclusion) {
  switch (exclusion) {
    case Exclusion::kNone:
      return "";
    case Exclusion::kUnusable:
      return "cannot take the model";
    case Exclusion::kBroken:
      return "failed";
    case Exclusion::kStep:
      return "not at this step of 'degrade'";
    case Exclusion::kOtherVariant:
      return "policy fixed keeps the model's own path";
    case Exclusion::kAccuracy:
      return "below min_snr_db";
    case Exclusion::kTooSlow:
      return "above latency_budget_ms";
    case Exclusion::kPower:
      return "above power_budget_w";
    case Exclusion::kTooHot:
      return "would exceed max_temperature_c";
  }
  return {};
}

Forecaster::Forecaster(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                       const SelectorPolicy& policy, double rate)
    : candidates_(candidates), state_(state), policy_(policy), rate_(rate) {
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    const auto variable = static_cast<HeatVariable>(v);
    if (!state.heat.sees(variable)) continue;
    for (std::size_t u = 0; u < kUnitRoles; ++u)
      wanted_[v] = wanted_[v] || state.trips.trip(static_cast<UnitRole>(u), variable).weight > 0.05;
    const bool die = v < kDies.size();
    if (die && policy.max_temperature_c) {
      wanted_[v] = limited_ = true;
      const double limit = *policy.max_temperature_c - kMargin - kMarginSpreads * state.heat.spread(variable);
      limit_c_ = limit_c_ == 0 ? limit : std::min(limit_c_, limit);
    }
  }
  beware();
  if (state.current < 0) return;
  const auto current = static_cast<std::size_t>(state.current);
  const UnitRole unit = candidates[current].unit;
  lost_ = state.trips.throttled(unit) && rate_of(current, held_speed(unit)) <= 0;
}

// When all is lost, a unit that has hardly run is worth a try: it may heat less.
double Forecaster::hope(std::size_t candidate) const {
  if (!lost_) return 1;
  return unit_ran_s(candidates_, state_, candidates_[candidate].unit) < kTriedFor ? kHope : 1;
}

// Units share the case: its sensor, else the slow part of a die's, tells how near that is to a governor's
// work.
void Forecaster::beware() {
  for (std::size_t u = 0; u < kUnitRoles; ++u)
    if (state_.trips.knows_any(static_cast<UnitRole>(u))) return;
  if (policy_.kind != PolicyKind::kSustained) return;
  case_ = state_.heat.sees(HeatVariable::kSkin) ? HeatVariable::kSkin : HeatVariable::kBody;
  const std::optional<double> free = state_.trips.hottest_free(case_);
  if (!state_.heat.sees(case_) || !free) return;
  wary_ = true;
  wanted_[static_cast<std::size_t>(case_)] = true;
  proven_c_ = std::max(*free, kMildest);
}

// Chance to get from `proven_c` to where `path` is without being throttled; that is proven then.
double Forecaster::survival(const ThermalPredictor::Path& path, double& proven_c) const {
  if (!wary_) return 1;
  const double to = std::min(path.value(case_), kWarmest);
  if (to <= proven_c) return 1;
  const auto left = [](double from) {
    return kLikely * (kWarmest - from) / (kWarmest - kMildest) + 1 - kLikely;
  };
  const double chance = left(to) / left(proven_c);
  proven_c = to;
  return chance;
}

double Forecaster::rate_when_caught(std::size_t candidate) const {
  double sum = 0;
  for (const double left : {kCaught, kCaughtLater}) {
    const double rate = rate_of(candidate, left);
    sum += rate > 0 ? rate : -kLateCost * rate_of(candidate, 1);
  }
  return 0.5 * sum;
}

double Forecaster::latency_now(std::size_t candidate) const {
  const CandidateState& c = state_.candidates[candidate];
  if (static_cast<int>(candidate) == state_.current) return c.now_ms;
  const UnitRole unit = candidates_[candidate].unit;
  const bool same = state_.current >= 0 && candidates_[static_cast<std::size_t>(state_.current)].unit == unit;
  const double cap = policy_.kind == PolicyKind::kSustained ? held_speed(unit) : shown_speed(unit);
  if (!same || cap >= 1) return c.now_ms;
  return c.base_ms / std::min(1.0, cap / c.speed);
}

double Forecaster::rate_of(std::size_t candidate, double speed) const {
  const CandidateState& c = state_.candidates[candidate];
  if (c.base_ms <= 0) return 0;
  const double latency = c.base_ms * c.speed / std::min(c.speed, speed);
  if (policy_.latency_budget_ms && latency > *policy_.latency_budget_ms) return 0;
  const double most = c.free_share * 1000 / latency;
  return rate_ > 0 ? std::min(rate_, most) : most;
}

// Whose trip points tell about `unit`: its own, else those of a unit that has been throttled (the case's
// only).
UnitRole Forecaster::teacher(UnitRole unit) const {
  if (state_.trips.knows_any(unit)) return unit;
  for (std::size_t u = 0; u < kUnitRoles; ++u)
    if (state_.trips.knows_any(static_cast<UnitRole>(u))) return static_cast<UnitRole>(u);
  return unit;
}

double Forecaster::cap(UnitRole unit, const ThermalPredictor::Path& path, Active& active) const {
  const UnitRole known = teacher(unit);
  double lost = 0;
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    const auto variable = static_cast<HeatVariable>(v);
    const TripLearner::Trip& trip = state_.trips.trip(known, variable);
    const bool shared = variable == HeatVariable::kSkin || variable == HeatVariable::kBody;
    if (!trip.known || !wanted_[v] || (known != unit && !shared)) continue;
    const double value = path.value(variable);
    active[v] = value > trip.at - (active[v] ? trip.hysteresis : 0);
    if (active[v]) lost += trip.weight * (1 - state_.trips.throttled_speed(known, variable, value));
  }
  return 1 - lost;
}

Forecaster::Active Forecaster::active_now(UnitRole unit) const {
  Active active{};
  if (state_.current < 0) return active;
  const UnitRole current = candidates_[static_cast<std::size_t>(state_.current)].unit;
  if (!state_.trips.throttled(current)) return active;
  if (current == teacher(unit)) {
    active.fill(true);
  } else {  // a governor of the case holds all units
    active[static_cast<std::size_t>(HeatVariable::kSkin)] = true;
    active[static_cast<std::size_t>(HeatVariable::kBody)] = true;
  }
  return active;
}

bool Forecaster::over_limit(const ThermalPredictor::Path& path) const {
  if (!limited_) return false;
  return std::any_of(kDies.begin(), kDies.end(), [&](HeatVariable die) {
    return wanted_[static_cast<std::size_t>(die)] && path.value(die) > limit_c_;
  });
}

double Forecaster::peak(std::size_t candidate, double seconds, double doubts) const {
  ThermalPredictor::Path path = state_.heat.begin(wanted_);
  const CandidateState& c = state_.candidates[candidate];
  const double doubt = doubts > 0 ? heat_doubt(candidates_, state_, candidate) : 1;
  const double watts = doubt * heat_at(c, c.speed, duty_of(c, c.speed));
  double hottest = 0;
  for (int part = 0; part < kPeakParts; ++part) {
    path.advance(seconds / kPeakParts, {candidates_[candidate].unit, watts});
    for (const HeatVariable die : kDies)
      if (wanted_[static_cast<std::size_t>(die)])
        hottest = std::max(hottest, path.value(die) + doubts * path.deviation(die));
  }
  return hottest;
}

double Forecaster::hottest_now() const {
  const HeatValues now = state_.heat.now();
  double hottest = 0;
  for (std::size_t die = 0; die < kDies.size(); ++die)
    if (wanted_[die]) hottest = std::max(hottest, now[die]);
  return hottest;
}

Forecaster::Ride Forecaster::ride(std::size_t candidate) const {
  const CandidateState& c = state_.candidates[candidate];
  const UnitRole unit = candidates_[candidate].unit;
  Ride out;
  ThermalPredictor::Path path = state_.heat.begin(wanted_);
  Active active = active_now(unit);
  double frames = 0, joules = 0, alive = 1, proven = proven_c_;
  const double caught = rate_when_caught(candidate), hopeful = hope(candidate);
  bool turned = false, limited = false;
  double t = 0;
  const auto mark_turn = [&] {
    out.turn_s = t;
    out.frames_until = frames;
    out.at_turn = path;
    out.active_at_turn = active;
    out.proven_at_turn = proven;
  };
  while (t < kHorizon) {
    const double dt = next_step(t);
    const double before = proven;
    const double limit = cap(unit, path, active);
    const bool over = over_limit(path);
    const bool held = over || limit < kFree * c.speed;
    if (t == 0) out.throttled = held;
    if (!limited && held != out.throttled) {
      limited = true;
      out.limit_s = t;
    }
    alive *= survival(path, proven);
    turned = turned || limited || proven > before;
    if (!turned || (out.throttled && limited && out.limit_s == t)) mark_turn();
    const double speed = std::min(c.speed, limit);
    const double fps = over ? 0 : rate_of(candidate, speed);
    const double watts = hopeful * heat_at(c, speed, duty_of(c, speed));
    frames += (alive * fps + (1 - alive) * std::min(fps, caught)) * dt;
    joules += watts * dt;
    path.advance(dt, {unit, watts});
    t += dt;
  }
  if (!turned) out.turn_s = kHorizon;
  out.fps = frames / kHorizon;
  out.watts = joules / kHorizon;
  return out;
}

double Forecaster::held_speed(UnitRole unit) const {
  if (state_.trips.throttled(unit)) return state_.trips.throttled_speed(unit);
  return state_.trips.starved(unit) ? state_.trips.starved_speed(unit) : 1;
}

// Where what runs is slowed visibly, that is what the unit's other modes get, too: a mean over some time
// would make them look better or worse than what runs by as much as that has changed since.
double Forecaster::shown_speed(UnitRole unit) const {
  if (state_.current < 0) return held_speed(unit);
  const auto current = static_cast<std::size_t>(state_.current);
  const CandidateState& c = state_.candidates[current];
  const bool shown = candidates_[current].unit == unit && c.now_ms > 0 && c.base_ms < kShown * c.now_ms;
  return shown ? c.speed * c.base_ms / c.now_ms : held_speed(unit);
}

bool Forecaster::rides_throttled(std::size_t candidate) const {
  return state_.candidates[candidate].speed > held_speed(candidates_[candidate].unit);
}

double Forecaster::throttled_rate(std::size_t candidate) const {
  return rate_of(candidate, held_speed(candidates_[candidate].unit));
}

bool Forecaster::over_limit_now() const { return over_limit(state_.heat.begin(wanted_)); }

// A frame that will be late is run all the same.
double Forecaster::duty_of(const CandidateState& candidate, double speed) const {
  if (rate_ <= 0) return 1;
  return std::min(1.0, rate_ * candidate.base_ms * candidate.speed / speed * 1e-3);
}

double Forecaster::with_follow_up(const Ride& first, std::size_t next) const {
  const CandidateState& c = state_.candidates[next];
  const UnitRole unit = candidates_[next].unit;
  ThermalPredictor::Path path = first.at_turn;
  Active active = first.active_at_turn;
  double frames = first.frames_until - rate_of(next, c.speed) * candidates_[next].switch_ms * 1e-3;
  double alive = 1, proven = first.proven_at_turn;
  const double caught = rate_when_caught(next);
  for (double t = first.turn_s; t < kHorizon;) {
    const double dt = next_step(t);
    const double speed = std::min(c.speed, cap(unit, path, active));
    const double watts = heat_at(c, speed, duty_of(c, speed));
    const bool over = over_limit(path) && watts >= first.watts;
    const double fps = over ? 0 : rate_of(next, speed);
    alive *= survival(path, proven);
    frames += (alive * fps + (1 - alive) * std::min(fps, caught)) * dt;
    path.advance(dt, {unit, watts});
    t += dt;
  }
  return frames / kHorizon;
}

}  // namespace sluice
