// Identifies a device from recorded runs: the power of its units from load, then the RC network from power
// and temperatures. What `sluice fit` does.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/telemetry/readings.h"
#include "simulation/profile.h"

namespace sluice {

// The sensor of a unit's die.
constexpr HeatRole heat_role(UnitRole role) {
  return role == UnitRole::kNpu ? HeatRole::kNpu : role == UnitRole::kGpu ? HeatRole::kGpu : HeatRole::kCpu;
}

// A recorded run: readings in order of time, about one a second.
struct RecordedRun {
  std::string name;
  std::vector<Readings> samples;
};

struct FittedValue {
  double value = 0;
  // One standard deviation, from the residuals, how long they stay on, and what is not known of the powers.
  double sigma = 0;
};

// A unit whose own temperature is known.
struct FittedUnit {
  UnitRole role = UnitRole::kCpu;
  FittedValue active_w;               // above idle, at full load and clock
  FittedValue heat_j_per_k, k_per_w;  // of its die; resistance to the case
  FittedValue lag_s;
  double rms_c = 0;  // of its sensor's residuals
};

// A unit that is not fitted, since its load hardly changed or its temperature is not known.
struct SteadyLoad {
  UnitRole role = UnitRole::kCpu;
  double load = 0;  // mean, as a share of full power
};

// The surroundings of one trace.
struct FittedAmbient {
  std::string trace;
  FittedValue celsius;
};

struct FittedDevice {
  std::vector<FittedUnit> units;
  std::vector<SteadyLoad> steady;
  FittedValue idle_w;  // of everything and of what `steady` did, goes into the case
  FittedValue case_j_per_k, case_k_per_w, case_lag_s;
  FittedValue ambient_c;                // the mean over the traces when it was not given
  std::vector<FittedAmbient> ambients;  // by trace; empty: one for all
  double case_rms_c = 0;
  double power_rms_w = 0;
  std::size_t samples = 0;
};

// `ambient_c`: of all traces; none: fitted, one for each where they differ. kInvalid, saying what is missing:
// less than 290 samples or seconds, no power, no skin temperature, no unit with both load and temperature, a
// load that never changes, one ambient for traces at several, a resistance whose deviation is above itself.
Result<FittedDevice> fit_device(const std::vector<RecordedRun>& traces, std::optional<double> ambient_c);

// `base` with the fitted units, network and sensors in place of its own; what was not fitted stays with its
// label. Units that were not fitted draw what `base` says, and the rest of the device so much less.
DeviceProfile to_profile(const FittedDevice& fitted, const DeviceProfile& base, std::string name);

// Residuals and confidence in words, one line per figure. `base`: as for to_profile().
std::string describe(const FittedDevice& fitted, const DeviceProfile& base);

}  // namespace sluice
