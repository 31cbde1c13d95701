// Android's thermal headroom: how near the device is to severe throttling (1.0), as the system predicts it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inference/telemetry/telemetry.h"

namespace sluice {

// Thread-safe. One for all telemetry of a process: the system answers NaN when anybody in it asks faster than
// about once a second, so an answer holds for a little longer than that.
class HeadroomMeter {
 public:
  // What the headroom will be in so many seconds; NaN: the system does not say.
  using Ask = std::function<float(int seconds)>;
  explicit HeadroomMeter(Ask ask) : ask_(std::move(ask)) {}
  // kAbsent until the system has said something; kVanished when it does not any more, kNonsense when it
  // cannot be.
  Reading read(TimeNs now);

 private:
  const Ask ask_;
  std::mutex mutex_;
  bool known_ = false;
  bool asked_ = false;
  TimeNs asked_at_ = 0;
  Reading latest_;
};

// The readings of `others` (null: none) with the headroom.
class HeadroomTelemetry final : public Telemetry {
 public:
  HeadroomTelemetry(std::unique_ptr<Telemetry> others, std::shared_ptr<HeadroomMeter> meter);

  std::string_view source() const override { return "sysfs"; }
  Readings sample(TimeNs now) override;
  std::vector<SensorState> sensors() const override;
  std::vector<std::string> take_notices() override;

 private:
  const std::unique_ptr<Telemetry> others_;
  const std::shared_ptr<HeadroomMeter> meter_;
  Health before_ = Health::kAbsent;
  Reading latest_;
  std::vector<std::string> notices_;
};

// The system's; null where it has none (Android before 12) or SLUICE_ANDROID_THERMAL was not set for the
// build.
std::shared_ptr<HeadroomMeter> android_headroom();

}  // namespace sluice
