// What the selector has learned and decided so far for one infer node. A value: copied, recorded, replayed.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "inference/selector/breaker.h"
#include "inference/selector/candidate.h"
#include "inference/selector/thermal_predictor.h"
#include "inference/selector/trip_learner.h"

namespace sluice {

// What one control period brought, of the candidate that was current in it.
struct Observation {
  Readings readings;      // readings.at is the end of the period
  double dt_s = 0;        // its length
  double latency_ms = 0;  // median of the runs that ended in it; 0: none did
  double fps = 0;         // runs that ended, per second
};

// What is known of a candidate beyond what stood in `SelectorCandidate` at the start.
struct CandidateState {
  Breaker breaker;
  double base_ms = 0;  // latency on a cool device
  double now_ms = 0;   // as last measured
  TimeNs measured_at = 0;
  double speed = 1;  // clock as a share of the fastest mode of the same backend and variant
  double watts = 0;  // while running; relative where energy is unknown
  Basis watts_basis = Basis::kUnknown;
  double ran_s = 0;       // how long it has run for this node
  double free_share = 1;  // of its unit's time; the rest is what other nodes take
  // By the power sensor, its true watts per watt of `watts`; 0: it has not run at full clock. Kept apart
  // because the predictor has learned with `watts`.
  double watts_scale = 0;
  double scaled_s = 0;  // how long that was learned
};

constexpr TimeNs kLongAgo = -from_s(1e6);

struct SelectorState {
  int current = -1;  // index into the candidates; -1: none yet
  int step = 0;      // of the ladder; 0: none taken
  TimeNs switched_at = kLongAgo;
  TimeNs stepped_at = kLongAgo;
  TimeNs observed_at = 0;
  // Changes of backend or variant of late: each makes the next wait longer.
  int moves = 0;
  TimeNs moved_at = kLongAgo;
  int rises = 0;  // times the ladder was climbed again of late
  // A climb that was not predicted to hold, made because it had become cooler. The next such needs every
  // sensor below `trial_below`.
  bool trial = false;
  HeatValues trial_below{}, climbed_at{};
  std::size_t count = 0;
  std::array<CandidateState, kMostCandidates> candidates;
  ThermalPredictor heat;
  TripLearner trips;
  double rest_w = 0;  // what the rest of the device draws, from the power sensor
};

// A state in which nothing has run: latencies and powers from the candidates' estimates. kMostCandidates at
// most.
SelectorState start_state(std::span<const SelectorCandidate> candidates);

// Takes in a control period. Pure but for `state`; no allocation.
void observe(std::span<const SelectorCandidate> candidates, const Observation& seen, SelectorState& state);

// A run or a probe of `candidate` failed, or a probe worked and took `latency_ms`.
void note_failure(SelectorState& state, std::size_t candidate, TimeNs now);
void note_probe(SelectorState& state, std::size_t candidate, TimeNs now, double latency_ms);

// Watts of the whole device with `candidate` running `duty` of the time; none without a power sensor or
// energies. One that has not run yet counts with the most that the others of its unit make likely, or that is
// usual [assumed: 7 W].
std::optional<double> device_power(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                                   std::size_t candidate, double duty);

// By how much more than assumed `candidate` may heat, as a factor: how power follows the clock differs from
// device to device, and what ran before tells the less of it the further it is from what `candidate` draws.
double heat_doubt(std::span<const SelectorCandidate> candidates, const SelectorState& state,
                  std::size_t candidate);

// Watts (or relative watts) that `candidate` draws at `speed` (share of its unit's fastest) running `duty` of
// the time. Active power follows the clock to the power of 2.5 [assumed; facts_devices section 3].
double heat_at(const CandidateState& candidate, double speed, double duty);

// How long the candidates of `unit` have run for this node, together, in s.
double unit_ran_s(std::span<const SelectorCandidate> candidates, const SelectorState& state, UnitRole unit);

}  // namespace sluice
