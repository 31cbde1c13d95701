// Learns where a hidden governor throttles, from latency drift and temperatures alone.
#pragma once

#include <array>
#include <optional>

#include "inference/selector/thermal_predictor.h"

namespace sluice {

// A governor caps a unit's clock while some temperature is above a trip point; neither the point nor which
// temperature counts is known. Speeds here are fractions of the unit's fastest mode. Every onset of
// throttling gives each temperature a candidate trip point; those that later contradict it (unthrottled above
// it, throttled far below) lose weight. Pure value, no allocation.
class TripLearner {
 public:
  // [assumed] what a governor leaves once it has begun, until it has shown what it does: most go on down.
  static constexpr double kAssumedThrottled = 0.5;

  struct Trip {
    bool known = false;
    double at = 0;          // temperature at which throttling sets in
    double hysteresis = 3;  // it ends this far below [assumed until seen]
    double weight = 0;      // share of belief among the variables of its unit
  };

  // The unit ran for `dt_s` at `speed` where its mode allows `full`.
  void observe(double dt_s, UnitRole unit, double full, double speed, const ThermalPredictor& heat);

  const Trip& trip(UnitRole unit, HeatVariable variable) const;
  // Speed that throttling has left the unit with on average; kAssumedThrottled until seen.
  double throttled_speed(UnitRole unit) const;
  // The same at `value` of a variable: some governors take more the hotter it is, others a fixed share.
  double throttled_speed(UnitRole unit, HeatVariable variable, double value) const;
  // By its governor: the temperatures speak for it, or there are none.
  bool throttled(UnitRole unit) const;
  // Slower than it should be where no temperature explains it: other programs take its time.
  bool starved(UnitRole unit) const;
  // Share of full speed that a starved unit is left with.
  double starved_speed(UnitRole unit) const { return units_[static_cast<std::size_t>(unit)].starved_speed; }
  bool knows_any(UnitRole unit) const;
  // Hottest that `variable` has been of late while a unit ran at full speed; none: not seen.
  std::optional<double> hottest_free(HeatVariable variable) const;

 private:
  // Fading line through (value, speed) while throttled.
  struct Line {
    double value = 0, variance = 0, covariance = 0;
  };
  struct Unit {
    bool throttled = false;
    bool heated = true;        // `throttled` is a governor's work
    double starved_speed = 1;  // while it is not
    int suspect = 0;           // periods in a row that contradict `throttled`
    bool learned = false;
    double speed = kAssumedThrottled;
    bool unseen = false;     // throttled when last visible; slow modes since then do not tell
    double resumed_for = 0;  // s since it runs again after a pause: what it shows first began meanwhile
    std::array<Trip, kHeatVariables> trips;
    std::array<double, kHeatVariables> doubt{};  // K, fading
    std::array<Line, kHeatVariables> lines;
    HeatValues previous{};
    HeatValues free_at{};  // hottest at which it ran at full speed, fading
    bool ran_free = false;
  };

  bool heat_explains(UnitRole role, const Unit& unit, const ThermalPredictor& heat) const;
  void turn(UnitRole role, Unit& unit, const ThermalPredictor& heat);
  void onset(UnitRole role, Unit& unit, const HeatValues& values, const ThermalPredictor& heat);
  static bool may_be_free(const Unit& unit, const HeatValues& values);
  void rest(const Unit& active);
  static void release(Unit& unit, const HeatValues& values);
  static void contradict(Unit& unit, const HeatValues& values, double dt_s);
  static void follow(Unit& unit, const HeatValues& values, double speed, double dt_s);
  static void note_free(Unit& unit, const HeatValues& values, double dt_s);
  static void weigh(Unit& unit);

  std::array<Unit, kUnitRoles> units_;
  HeatValues coolest_{};
  std::array<bool, kHeatVariables> any_{};
};

}  // namespace sluice
