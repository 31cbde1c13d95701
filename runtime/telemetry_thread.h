// Samples a Telemetry once a second in a thread of its own (sensors may block), keeps the newest readings,
// and sums them up for the report.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "framework/node/options.h"
#include "inference/telemetry/telemetry.h"
#include "runtime/device_summary.h"
#include "runtime/simulated_telemetry.h"

namespace sluice {

// What the file's `device` section asks for; null: nothing is read (`none`, or `auto` on a machine without
// sensors). `load` heats the model of `simulated`. kUnavailable: what this machine has not; kInvalid: a trace
// or profile that is missing or wrong.
Result<std::unique_ptr<Telemetry>> make_telemetry(const OptionMap& device, SimulatedTelemetry::Load load);

class TelemetryThread {
 public:
  // Starts at once; `clock` outlives it.
  TelemetryThread(std::unique_ptr<Telemetry> telemetry, Clock& clock);
  ~TelemetryThread();
  TelemetryThread(const TelemetryThread&) = delete;

  // No more samples; what was read stays.
  void stop();
  // Any thread.
  Readings latest() const;
  DeviceReport report() const;

 private:
  void work();
  void sample();

  const std::unique_ptr<Telemetry> telemetry_;
  Clock& clock_;
  TimeNs due_;  // the next sample; the thread's
  mutable std::mutex mutex_;
  Readings latest_;
  DeviceSummary summary_;
  std::vector<std::string> notices_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace sluice
