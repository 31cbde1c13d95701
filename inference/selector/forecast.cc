#include "inference/selector/forecast.h"

#include <algorithm>

namespace sluice {
namespace {

constexpr double kMargin = 0.8;  // K below max_temperature_c, and so many spreads of the measurements more
constexpr double kMarginSpreads = 1.5;
constexpr double kFree = 0.97;  // of a mode's clock: less is throttling
// Against max_temperature_c a unit that has hardly run is taken to heat this much more than assumed.
constexpr double kCare = 0.6, kTried = 20;  // s
constexpr double kFineStep = 2;             // s

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
}

double Forecaster::latency_now(std::size_t candidate) const {
  const CandidateState& c = state_.candidates[candidate];
  if (static_cast<int>(candidate) == state_.current) return c.now_ms;
  const UnitRole unit = candidates_[candidate].unit;
  const bool same = state_.current >= 0 && candidates_[static_cast<std::size_t>(state_.current)].unit == unit;
  if (!same || !state_.trips.throttled(unit)) return c.now_ms;
  const double cap = state_.trips.throttled_speed(unit);
  return c.base_ms / std::min(1.0, cap / c.speed);
}

double Forecaster::rate_of(std::size_t candidate, double speed) const {
  const CandidateState& c = state_.candidates[candidate];
  if (c.base_ms <= 0) return 0;
  const double latency = c.base_ms * c.speed / std::min(c.speed, speed);
  if (policy_.latency_budget_ms && latency > *policy_.latency_budget_ms) return 0;
  const double most = 1000 / latency;
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
  const UnitRole known = teacher(unit);
  const bool current =
      state_.current >= 0 && candidates_[static_cast<std::size_t>(state_.current)].unit == known;
  if (current && state_.trips.throttled(known)) active.fill(true);
  return active;
}

bool Forecaster::over_limit(const ThermalPredictor::Path& path) const {
  if (!limited_) return false;
  return std::any_of(kDies.begin(), kDies.end(), [&](HeatVariable die) {
    return wanted_[static_cast<std::size_t>(die)] && path.value(die) > limit_c_;
  });
}

double Forecaster::peak(std::size_t candidate, double seconds) const {
  ThermalPredictor::Path path = state_.heat.begin(wanted_);
  const CandidateState& c = state_.candidates[candidate];
  const double ran = state_.ran_s[static_cast<std::size_t>(candidates_[candidate].unit)];
  const double care = 1 + kCare * (1 - std::min(1.0, ran / kTried));
  const double watts = care * heat_at(c, c.speed, duty_of(c, c.speed));
  double hottest = 0;
  for (double t = 0; t < seconds; t += kFineStep) {
    path.advance(kFineStep, {candidates_[candidate].unit, watts});
    for (const HeatVariable die : kDies)
      if (wanted_[static_cast<std::size_t>(die)]) hottest = std::max(hottest, path.value(die));
  }
  return hottest;
}

Forecaster::Ride Forecaster::ride(std::size_t candidate) const {
  const CandidateState& c = state_.candidates[candidate];
  const UnitRole unit = candidates_[candidate].unit;
  Ride out;
  ThermalPredictor::Path path = state_.heat.begin(wanted_);
  Active active = active_now(unit);
  double frames = 0, joules = 0;
  bool turned = false;
  for (double t = 0; t < kHorizon;) {
    const double dt = next_step(t);
    const double limit = cap(unit, path, active);
    const bool over = over_limit(path);
    const bool held = over || limit < kFree * c.speed;
    if (t == 0) out.throttled = held;
    if (!turned && held != out.throttled) {
      turned = true;
      out.turn_s = t;
      out.frames_until = frames;
      out.at_turn = path;
      out.active_at_turn = active;
    }
    const double speed = std::min(c.speed, limit);
    const double fps = over ? 0 : rate_of(candidate, speed);
    const double watts = heat_at(c, speed, duty_of(c, speed));
    frames += fps * dt;
    joules += watts * dt;
    path.advance(dt, {unit, watts});
    t += dt;
  }
  out.fps = frames / kHorizon;
  out.watts = joules / kHorizon;
  return out;
}

bool Forecaster::rides_throttled(std::size_t candidate) const {
  const UnitRole unit = candidates_[candidate].unit;
  return state_.trips.throttled(unit) &&
         state_.candidates[candidate].speed > state_.trips.throttled_speed(unit);
}

double Forecaster::throttled_rate(std::size_t candidate) const {
  return rate_of(candidate, state_.trips.throttled_speed(candidates_[candidate].unit));
}

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
  for (double t = first.turn_s; t < kHorizon;) {
    const double dt = next_step(t);
    const double speed = std::min(c.speed, cap(unit, path, active));
    const double watts = heat_at(c, speed, duty_of(c, speed));
    const bool over = over_limit(path) && watts >= first.watts;
    frames += (over ? 0 : rate_of(next, speed)) * dt;
    path.advance(dt, {unit, watts});
    t += dt;
  }
  return frames / kHorizon;
}

}  // namespace sluice
