// The devices that the selector is judged on: another model than its predictor's. Two or three thermal nodes,
// power of its own exponent and leakage, governors that nobody sees, sensors that lag and are noisy.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "inference/selector/candidate.h"
#include "inference/selector/selector_state.h"

namespace sluice::testing {

constexpr int kMostNodes = 3;
constexpr int kMostGovernors = 2;

struct TrueCandidate {
  std::string backend, mode;
  UnitRole unit = UnitRole::kNpu;
  double cool_ms = 1;  // one frame's work at `speed`
  double speed = 1;    // clock, share of the unit's fastest
  double switch_ms = 0;
};

struct Governor {
  enum class Kind : std::uint8_t { kStep, kHarsh, kDroop } kind = Kind::kStep;
  int node = 0;
  double trip_c = 95, hysteresis = 3, step = 0.1, least = 0.4, per_kelvin = 0.05;
  std::array<bool, kUnitRoles> units{true, true, true};
};

struct DeviceState {
  std::array<double, kMostNodes> temperature{};
  std::array<double, kMostGovernors> cap{1, 1};
  int current = -1;
};

struct Second {
  double frames = 0;  // within the deadline, capped at the target
  double fps = 0;     // finished at all
  double latency_ms = 0;
  double watts = 0;  // of the whole device
};

struct TrueDevice {
  std::uint64_t seed = 0;
  int nodes = 2;
  double ambient_c = 25;
  std::array<std::array<double, kMostNodes>, kMostNodes> decay{};    // of (T - ambient) within a second
  std::array<std::array<double, kMostNodes>, kMostNodes> heating{};  // K per W within a second, [node][into]
  std::array<int, kUnitRoles> node_of_unit{};
  std::array<double, kUnitRoles> active_w{};  // at full clock
  double static_share = 0.15, exponent = 2.5;
  double idle_w = 0.3, background_w = 0;
  double background_from_s = 0, background_more_w = 0;
  std::vector<TrueCandidate> candidates;
  std::vector<Governor> governors;
  double target_fps = 30, deadline_ms = 33;
  double horizon_s = 900;
  // Sensors.
  std::array<bool, kHeatRoles> sensed{};
  double lag_s = 0, noise_c = 0.3, rounding_c = 0, latency_noise = 0.02;
  double preheat_c = 0;

  int node_of(HeatRole role) const;
  DeviceState start() const;
  // One second of `candidate` from time `t_s`; the state moves on.
  Second advance(DeviceState& state, int candidate, double t_s) const;
  // Of the dies that have a sensor: what max_temperature_c limits.
  double hottest_die(const DeviceState& state) const;
  // What warm-up would know: measured latencies, energies unknown (or measured, when asked for).
  std::vector<SelectorCandidate> seen_candidates(bool energies = false) const;
  SelectorPolicy policy(PolicyKind kind) const;
};

// Seeded; devices differ in everything above. Ranges: facts_devices section 3 in the middle.
TrueDevice random_device(std::uint64_t seed);

// Frames of candidate 0 (NPU first, full speed) over the horizon, as a share of those without any throttling.
double npu_first_share(const TrueDevice& device);

// The sensors of one run: delayed by the lag, noisy, rounded.
class Sensors {
 public:
  Sensors(const TrueDevice& device, std::uint64_t seed) : device_(device), random_(seed) {}
  Readings read(const DeviceState& state, double t_s, double watts);
  double latency(double true_ms);

 private:
  double normal();
  const TrueDevice& device_;
  std::mt19937_64 random_;
  std::array<std::vector<double>, kHeatRoles> history_;
};

}  // namespace sluice::testing
