// `device: {telemetry: simulated}`: a real run whose readings come from a model of a device, which its
// inference heats.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "inference/telemetry/telemetry.h"
#include "simulation/device.h"

namespace sluice {

// What a node's inference has taken so far.
struct BackendLoad {
  std::string node, backend;
  double busy_ms = 0;  // since the start
  double extra_w = 0;  // while it is busy, beyond the unit's own (heat_w of `fake`)
};

class SimulatedTelemetry final : public Telemetry {
 public:
  using Load = std::function<std::vector<BackendLoad>()>;
  // `load` is asked at each sample, by the thread that samples.
  SimulatedTelemetry(DeviceProfile profile, Load load);

  std::string_view source() const override { return "simulated"; }
  Readings sample(TimeNs now) override;
  std::vector<SensorState> sensors() const override;

 private:
  void heat(const BackendLoad& load, double busy_ms, TimeNs now);

  SimulatedDevice device_;
  const Load load_;
  std::vector<BackendLoad> before_;
  TimeNs start_ = -1;
  Readings latest_;
};

}  // namespace sluice
