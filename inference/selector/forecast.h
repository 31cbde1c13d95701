// What each candidate would do from now on: rate, heat, and when it would meet a limit.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inference/selector/selector_state.h"

namespace sluice {

// Why a candidate is not considered.
enum class Exclusion : std::uint8_t {
  kNone,
  kUnusable,      // its backend cannot take this model
  kBroken,        // it failed; its breaker is open
  kStep,          // the ladder's step does not allow it
  kOtherVariant,  // policy fixed keeps the model's own path
  kAccuracy,      // below min_snr_db, or unknown
  kTooSlow,       // above latency_budget_ms
  kPower,         // above power_budget_w
  kTooHot,        // would exceed max_temperature_c
};
std::string_view name_of(Exclusion exclusion);

struct Forecast {
  Exclusion exclusion = Exclusion::kNone;
  double score = 0;       // by the policy; higher is better
  double fps = 0;         // sustained over the horizon (sustained), else now; capped at the target
  double latency_ms = 0;  // now
  double watts = 0;       // mean; see watts_basis of its state
  double peak_c = 0;      // hottest die expected within the dwell; 0: no sensor
  double limit_in_s = 0;  // until throttling or max_temperature_c is met; the horizon: not before it
  int follow_up = -1;     // the candidate to go on with then (sustained); -1: stays
};

// The future of single candidates and of pairs (one until it meets a limit, then the other). Made per
// decision on the caller's stack; no allocation.
class Forecaster {
 public:
  static constexpr double kHorizon = 400;  // s: most of a case's time constant
  // Deviations of the predictor's gains that max_temperature_c allows for.
  static constexpr double kDoubts = 1.5;

  Forecaster(std::span<const SelectorCandidate> candidates, const SelectorState& state,
             const SelectorPolicy& policy, double rate);

  // Latency now: throttled if its unit is, by the governor's cap as learned.
  double latency_now(std::size_t candidate) const;
  // Frames per second within the latency budget at `speed` of the unit, beside what other nodes run there.
  double rate_of(std::size_t candidate, double speed) const;
  // Highest die temperature within `seconds`, `doubts` deviations above the likeliest, and whether a
  // temperature is too near max_temperature_c.
  bool too_hot(double celsius) const { return limited_ && celsius > limit_c_; }
  double peak(std::size_t candidate, double seconds, double doubts = kDoubts) const;
  // Of the dies, as the readings show them.
  double hottest_now() const;
  // max_temperature_c is as good as met.
  bool over_limit_now() const;

  // Which trip points act: a governor that has throttled lets go only below its hysteresis.
  using Active = std::array<bool, kHeatVariables>;

  // Mean rate over the horizon when `candidate` stays. Its limit is met when something binds that does not
  // now (throttling, max_temperature_c), or when the throttling that binds now ends. Its turn, when another
  // may go on, is then; or the last moment before it throttles; or before the case gets hotter than it has
  // been without throttling, where no trip point is known yet.
  struct Ride {
    double fps = 0;
    double watts = 0;
    bool throttled = false;  // from the start
    double limit_s = kHorizon;
    double turn_s = kHorizon;
    double frames_until = 0;  // frames until then
    ThermalPredictor::Path at_turn;
    Active active_at_turn{};
    double proven_at_turn = 0;
  };
  Ride ride(std::size_t candidate) const;
  // True while a governor or other programs hold the unit down and this candidate asks for more than that
  // leaves.
  bool rides_throttled(std::size_t candidate) const;
  // True when what a governor leaves the unit is too slow for any frame to be in time.
  bool lost() const { return lost_; }
  // Rate of such a candidate if that goes on as it has on average.
  double throttled_rate(std::size_t candidate) const;
  // Mean rate when `candidate` runs until its turn and `next` from then on.
  double with_follow_up(const Ride& first, std::size_t next) const;

 private:
  double held_speed(UnitRole unit) const;   // 1: nothing holds it down
  double shown_speed(UnitRole unit) const;  // the same, by what the current candidate shows now
  double cap(UnitRole unit, const ThermalPredictor::Path& path, Active& active) const;
  double hope(std::size_t candidate) const;
  double duty_of(const CandidateState& candidate, double speed) const;
  UnitRole teacher(UnitRole unit) const;
  Active active_now(UnitRole unit) const;
  void beware();
  double survival(const ThermalPredictor::Path& path, double& proven_c) const;
  double rate_when_caught(std::size_t candidate) const;
  bool over_limit(const ThermalPredictor::Path& path) const;

  std::span<const SelectorCandidate> candidates_;
  const SelectorState& state_;
  const SelectorPolicy& policy_;
  const double rate_;
  std::array<bool, kHeatVariables> wanted_{};
  double limit_c_ = 0;
  bool limited_ = false;
  bool lost_ = false;
  // No trip point is known: what the case may meet above what it has proven.
  bool wary_ = false;
  HeatVariable case_ = HeatVariable::kBody;
  double proven_c_ = 0;
};

}  // namespace sluice
