#include "inference/telemetry/headroom.h"

#include <cmath>
#include <utility>

#include "inference/telemetry/sensor_check.h"

#ifdef SLUICE_ANDROID_THERMAL
#include <dlfcn.h>
#endif

namespace sluice {
namespace {

constexpr int kAheadS = 10;
constexpr TimeNs kHolds = from_ms(1100);
constexpr double kMostHeadroom = 100;  // 1.0 is severe; a device is off long before this

}  // namespace

Reading HeadroomMeter::read(TimeNs now) {
  std::lock_guard lock(mutex_);
  const bool holds = asked_ && now >= asked_at_ && now - asked_at_ < kHolds;
  if (holds) return latest_;
  asked_ = true;
  asked_at_ = now;
  const double value = ask_(kAheadS);
  if (std::isnan(value)) {
    latest_ = {std::nullopt, now, known_ ? Health::kVanished : Health::kAbsent};
    return latest_;
  }
  known_ = true;
  const Health health = check_range(value, 0, kMostHeadroom);
  latest_ = {health == Health::kGood ? std::optional(value) : std::nullopt, now, health};
  return latest_;
}

HeadroomTelemetry::HeadroomTelemetry(std::unique_ptr<Telemetry> others, std::shared_ptr<HeadroomMeter> meter)
    : others_(std::move(others)), meter_(std::move(meter)) {}

Readings HeadroomTelemetry::sample(TimeNs now) {
  Readings out;
  if (others_) out = others_->sample(now);
  out.at = now;
  out.headroom = latest_ = meter_->read(now);
  const Health before = std::exchange(before_, latest_.health);
  if (latest_.health == before) return out;
  if (latest_.health == Health::kVanished)
    notices_.push_back("thermal headroom: it cannot be read; excluded");
  if (latest_.health == Health::kNonsense)
    notices_.push_back("thermal headroom: its value cannot be; excluded");
  if (latest_.health == Health::kGood && before != Health::kAbsent)
    notices_.push_back("thermal headroom: believed again");
  return out;
}

std::vector<SensorState> HeadroomTelemetry::sensors() const {
  std::vector<SensorState> out;
  if (others_) out = others_->sensors();
  out.push_back({"thermal headroom", "pressure", "device", "", latest_, ""});
  return out;
}

std::vector<std::string> HeadroomTelemetry::take_notices() {
  std::vector<std::string> out = std::exchange(notices_, {});
  if (!others_) return out;
  for (std::string& notice : others_->take_notices()) out.push_back(std::move(notice));
  return out;
}

#ifdef SLUICE_ANDROID_THERMAL
// By name, as it came with Android 12 (and its manager with 11).
std::shared_ptr<HeadroomMeter> android_headroom() {
  static const std::shared_ptr<HeadroomMeter> meter = []() -> std::shared_ptr<HeadroomMeter> {
    void* const library = ::dlopen("libandroid.so", RTLD_NOW | RTLD_LOCAL);  // stays loaded
    if (!library) return nullptr;
    const auto acquire = reinterpret_cast<void* (*)()>(::dlsym(library, "AThermal_acquireManager"));
    const auto headroom =
        reinterpret_cast<float (*)(void*, int)>(::dlsym(library, "AThermal_getThermalHeadroom"));
    void* const manager = acquire && headroom ? acquire() : nullptr;
    if (!manager) return nullptr;
    return std::make_shared<HeadroomMeter>([=](int seconds) { return headroom(manager, seconds); });
  }();
  return meter;
}
#else
std::shared_ptr<HeadroomMeter> android_headroom() { return nullptr; }
#endif

}  // namespace sluice
