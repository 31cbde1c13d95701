#include "inference/selector/trip_learner.h"

#include <algorithm>

#include "inference/selector/approach.h"

namespace sluice {
namespace {

constexpr double kOnset = 0.93;       // slower than this share of full speed: throttled
constexpr double kRelease = 0.97;     // at least this: free again
constexpr int kConfirm = 2;           // periods, against noise of the latency
constexpr double kDoubtScale = 1.5;   // K of contradiction that halves a weight
constexpr double kDoubtMemory = 300;  // s
constexpr double kTolerance = 1.0;    // K that contradicts nothing
constexpr double kUsualHysteresis = 6, kMostHysteresis = 12;  // K
constexpr double kSpeedMemory = 20;                           // s
constexpr double kLineMemory = 60;                            // s
constexpr double kFlat = 0.3;      // K^2: variance of a line too short to have a slope
constexpr double kSteepest = 0.2;  // of full speed per K
constexpr double kSlowest = 0.15;
constexpr double kResuming = 4;  // s
// Without a rise no governor acts, nor well below where the unit has run freely [assumed], in K.
constexpr double kLeastRise = 4, kFreeTolerance = 3;
constexpr double kFreeMemory = 900;  // s
constexpr double kStarvedMemory = 5;

constexpr double kSurelyHeld = 0.9;  // share of belief in the trip points that are not left yet
constexpr double kVisible =
    1.04;  // a mode this much faster than the throttled speed shows whether it still binds

// A unit's governors look at its own die or at the case.
bool concerns(UnitRole unit, std::size_t variable) {
  return variable >= kUnitRoles || variable == static_cast<std::size_t>(unit);
}

}  // namespace

void TripLearner::onset(UnitRole role, Unit& unit, const HeatValues& values, const ThermalPredictor& heat) {
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    if (!concerns(role, v) || !heat.sees(static_cast<HeatVariable>(v))) continue;
    Trip& trip = unit.trips[v];
    if (trip.known) {
      const double miss = values[v] - trip.at;
      unit.doubt[v] += std::max(0.0, (miss < 0 ? -miss : miss) - kTolerance);
      trip.at += 0.4 * miss;
    } else {
      trip.known = true;
      trip.at = values[v];
    }
  }
}

void TripLearner::release(Unit& unit, const HeatValues& values) {
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    Trip& trip = unit.trips[v];
    if (!trip.known) continue;
    const double below = std::clamp(trip.at - values[v], 0.0, kMostHysteresis);
    trip.hysteresis += 0.4 * (below - trip.hysteresis);
  }
}

void TripLearner::contradict(Unit& unit, const HeatValues& values, double dt_s) {
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    Trip& trip = unit.trips[v];
    unit.doubt[v] = approach(unit.doubt[v], 0, dt_s, kDoubtMemory);
    if (!trip.known) continue;
    const double above = values[v] - trip.at;
    if (!unit.throttled && above > kTolerance) {
      unit.doubt[v] += 0.1 * above * dt_s;
      trip.at += 0.2 * (above - kTolerance);
    } else if (unit.throttled && -above > trip.hysteresis) {
      // Still throttled this far below: either it lets go later yet, or another temperature counts.
      trip.hysteresis = std::min(-above, kMostHysteresis);
      unit.doubt[v] += 0.1 * std::max(0.0, -above - kUsualHysteresis) * dt_s;
    }
  }
}

void TripLearner::follow(Unit& unit, const HeatValues& values, double speed, double dt_s) {
  if (!unit.learned) {
    for (std::size_t v = 0; v < kHeatVariables; ++v) unit.lines[v].value = values[v];
  }
  unit.learned = true;
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    Line& line = unit.lines[v];
    const double off = values[v] - line.value;
    line.variance = approach(line.variance, off * off, dt_s, kLineMemory);
    line.covariance = approach(line.covariance, off * (speed - unit.speed), dt_s, kLineMemory);
    line.value = approach(line.value, values[v], dt_s, kSpeedMemory);
  }
  unit.speed = approach(unit.speed, speed, dt_s, kSpeedMemory);
}

void TripLearner::weigh(Unit& unit) {
  double sum = 0;
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    const double doubt = unit.doubt[v] / kDoubtScale;
    unit.trips[v].weight = unit.trips[v].known ? 1 / (1 + doubt * doubt) : 0;
    sum += unit.trips[v].weight;
  }
  if (sum <= 0) return;
  for (Trip& trip : unit.trips) trip.weight /= sum;
}

// By temperature alone, as far as is known: one that may well be the governor's is below where it lets go.
// The others cannot be ruled out while a slow mode runs; a faster one tells within seconds.
bool TripLearner::may_be_free(const Unit& unit, const HeatValues& values) {
  double held = 0;
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    const Trip& trip = unit.trips[v];
    if (trip.known && values[v] > trip.at - trip.hysteresis) held += trip.weight;
  }
  return held < kSurelyHeld;
}

// Units that do not run: what they show when they run again began meanwhile.
void TripLearner::rest(const Unit& active) {
  for (Unit& unit : units_) {
    if (&unit == &active) continue;
    unit.throttled = unit.unseen = false;
    unit.suspect = 0;
    unit.resumed_for = 0;
  }
}

// Throttling comes with heat: near a trip point that is known, or as hot as the unit has hardly been before.
bool TripLearner::heat_explains(UnitRole role, const Unit& unit, const ThermalPredictor& heat) const {
  bool sees = false;
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    if (!concerns(role, v) || !heat.sees(static_cast<HeatVariable>(v))) continue;
    sees = true;
    const double value = unit.previous[v];
    const Trip& trip = unit.trips[v];
    if (trip.known && value > trip.at - std::max(trip.hysteresis, kUsualHysteresis)) return true;
    const bool hot = !unit.ran_free || value > unit.free_at[v] - kFreeTolerance;
    if (hot && value > coolest_[v] + kLeastRise) return true;
  }
  return !sees;
}

// The unit has become slow, or fast again.
void TripLearner::turn(UnitRole role, Unit& unit, const ThermalPredictor& heat) {
  unit.suspect = 0;
  unit.throttled = !unit.throttled;
  if (unit.throttled) {
    unit.heated = heat_explains(role, unit, heat);
    unit.starved_speed = 1;
    if (unit.heated && (unit.resumed_for > kResuming || !unit.learned))
      onset(role, unit, unit.previous, heat);
  } else if (unit.heated && !unit.unseen) {
    release(unit, unit.previous);
  }
  unit.unseen = false;
}

void TripLearner::note_free(Unit& unit, const HeatValues& values, double dt_s) {
  for (std::size_t v = 0; v < kHeatVariables; ++v)
    unit.free_at[v] = !unit.ran_free || values[v] > unit.free_at[v]
                          ? values[v]
                          : approach(unit.free_at[v], values[v], dt_s, kFreeMemory);
  unit.ran_free = true;
}

void TripLearner::observe(double dt_s, UnitRole role, double full, double speed,
                          const ThermalPredictor& heat) {
  Unit& unit = units_[static_cast<std::size_t>(role)];
  rest(unit);
  const HeatValues values = heat.now();
  for (std::size_t v = 0; v < kHeatVariables; ++v) {
    if (!heat.sees(static_cast<HeatVariable>(v))) continue;
    coolest_[v] = any_[v] ? std::min(coolest_[v], values[v]) : values[v];
    any_[v] = true;
  }
  if (unit.throttled && unit.heated && full < kVisible * unit.speed && speed > kOnset * full) {
    unit.unseen = true;
    unit.suspect = 0;
    if (may_be_free(unit, values)) {
      unit.throttled = unit.unseen = false;
      unit.resumed_for = 0;
    }
    return;
  }
  const double ratio = speed / full;
  const bool contrary = unit.throttled ? ratio > kRelease : ratio < kOnset;
  if (contrary && unit.suspect == 0) unit.previous = values;
  unit.suspect = contrary ? unit.suspect + 1 : 0;
  unit.resumed_for += dt_s;
  if (unit.suspect >= kConfirm) turn(role, unit, heat);
  if (unit.throttled && !unit.heated)
    unit.starved_speed = approach(unit.starved_speed, speed, dt_s, kStarvedMemory);
  if (unit.throttled && unit.heated && !contrary) {
    unit.unseen = false;
    follow(unit, values, speed, dt_s);
  }
  if (!unit.throttled && !contrary) note_free(unit, values, dt_s);
  if (unit.suspect == 0 && (unit.heated || !unit.throttled)) contradict(unit, values, dt_s);
  weigh(unit);
}

const TripLearner::Trip& TripLearner::trip(UnitRole unit, HeatVariable variable) const {
  return units_[static_cast<std::size_t>(unit)].trips[static_cast<std::size_t>(variable)];
}

double TripLearner::throttled_speed(UnitRole unit) const {
  return units_[static_cast<std::size_t>(unit)].speed;
}

double TripLearner::throttled_speed(UnitRole role, HeatVariable variable, double value) const {
  const Unit& unit = units_[static_cast<std::size_t>(role)];
  const Line& line = unit.lines[static_cast<std::size_t>(variable)];
  const double slope = std::clamp(line.covariance / (line.variance + kFlat), -kSteepest, 0.0);
  return std::clamp(unit.speed + slope * (value - line.value), kSlowest, 1.0);
}

bool TripLearner::throttled(UnitRole role) const {
  const Unit& unit = units_[static_cast<std::size_t>(role)];
  return unit.throttled && unit.heated;
}

bool TripLearner::starved(UnitRole role) const {
  const Unit& unit = units_[static_cast<std::size_t>(role)];
  return unit.throttled && !unit.heated;
}

std::optional<double> TripLearner::hottest_free(HeatVariable variable) const {
  std::optional<double> hottest;
  for (const Unit& unit : units_) {
    const double at = unit.free_at[static_cast<std::size_t>(variable)];
    if (unit.ran_free && (!hottest || at > *hottest)) hottest = at;
  }
  return hottest;
}

bool TripLearner::knows_any(UnitRole unit) const {
  const auto& trips = units_[static_cast<std::size_t>(unit)].trips;
  return std::any_of(trips.begin(), trips.end(), [](const Trip& trip) { return trip.known; });
}

}  // namespace sluice
