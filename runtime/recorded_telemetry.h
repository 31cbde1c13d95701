// `device: {telemetry: trace}`: the readings of a recorded run instead of this machine's.
#pragma once

#include <memory>

#include "inference/telemetry/telemetry.h"
#include "runtime/readings_trace.h"

namespace sluice {

// The recording's time begins at the first sample; between two of its lines the earlier one holds. After its
// end nothing is known, which is said once.
class RecordedTelemetry final : public Telemetry {
 public:
  explicit RecordedTelemetry(RecordedRun trace) : trace_(std::move(trace)) {}

  std::string_view source() const override { return "trace"; }
  Readings sample(TimeNs now) override;
  std::vector<SensorState> sensors() const override;
  std::vector<std::string> take_notices() override;

 private:
  const RecordedRun trace_;
  std::optional<TimeNs> start_;  // the clock's time of the first sample
  std::size_t next_ = 1;         // line after the one that holds
  Readings latest_;
  bool over_ = false, told_ = false;
};

}  // namespace sluice
