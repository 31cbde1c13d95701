// Telemetry: where readings come from. Sources: sysfs (this machine), simulated (a model of a device), trace
// (a recorded run), none.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "inference/telemetry/readings.h"

namespace sluice {

// One sensor as `doctor` and reports show it.
struct SensorState {
  std::string name;      // as the machine calls it: "cpuss0-thermal"
  std::string quantity;  // "temperature", "clock", "utilisation", "power", "pressure", "memory"
  std::string role;      // "npu", ..., or what the quantity covers ("device", "package"); empty: none of ours
  std::string unit;      // "degrees C", "MHz", "W", "MB"; empty: a share
  Reading now;
  std::string problem;  // why it is not used; empty: it is
};

// Not thread-safe: one thread samples. `sample` allocates nothing once warm.
class Telemetry {
 public:
  virtual ~Telemetry() = default;
  virtual std::string_view source() const = 0;  // "sysfs", "simulated", "trace", "none"
  // What is known at `now` (never before an earlier call's). Rates such as utilisation are over the time
  // since the call before, and unknown in the first.
  virtual Readings sample(TimeNs now) = 0;
  // Every sensor as of the last sample.
  virtual std::vector<SensorState> sensors() const = 0;
  // What happened to sensors since the last call, each once, in words: "sensor 'nsp0' ...; excluded".
  virtual std::vector<std::string> take_notices() { return {}; }
};

}  // namespace sluice
