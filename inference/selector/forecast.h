// What each candidate would do from now on: rate, heat, and when it would meet a limit.
#pragma once

#include <array>
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

  Forecaster(std::span<const SelectorCandidate> candidates, const SelectorState& state,
             const SelectorPolicy& policy, double rate);

  // Latency now: throttled if its unit is, by the governor's cap as learned.
  double latency_now(std::size_t candidate) const;
  // Frames per second within the latency budget at `speed` of the unit.
  double rate_of(std::size_t candidate, double speed) const;
  // Highest die temperature within `seconds`, and whether that is too near max_temperature_c.
  bool too_hot(double celsius) const { return limited_ && celsius > limit_c_; }
  double peak(std::size_t candidate, double seconds) const;

  // Which trip points act: a governor that has throttled lets go only below its hysteresis.
  using Active = std::array<bool, kHeatVariables>;

  // Mean rate over the horizon when `candidate` stays. Its turn is when a limit is met that does not bind now
  // (throttling, max_temperature_c), or when the throttling that binds now ends.
  struct Ride {
    double fps = 0;
    double watts = 0;
    bool throttled = false;  // from the start
    double turn_s = kHorizon;
    double frames_until = 0;  // frames until then
    ThermalPredictor::Path at_turn;
    Active active_at_turn{};
  };
  Ride ride(std::size_t candidate) const;
  // True while a governor holds the unit down and this candidate asks for more than that leaves.
  bool rides_throttled(std::size_t candidate) const;
  // Rate of such a candidate if that goes on as it has on average.
  double throttled_rate(std::size_t candidate) const;
  // Mean rate when `candidate` runs until its turn and `next` from then on.
  double with_follow_up(const Ride& first, std::size_t next) const;

 private:
  double cap(UnitRole unit, const ThermalPredictor::Path& path, Active& active) const;
  double duty_of(const CandidateState& candidate, double speed) const;
  UnitRole teacher(UnitRole unit) const;
  Active active_now(UnitRole unit) const;
  bool over_limit(const ThermalPredictor::Path& path) const;

  std::span<const SelectorCandidate> candidates_;
  const SelectorState& state_;
  const SelectorPolicy& policy_;
  const double rate_;
  std::array<bool, kHeatVariables> wanted_{};
  double limit_c_ = 0;
  bool limited_ = false;
};

}  // namespace sluice
