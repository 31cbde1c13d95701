#include "inference/telemetry/sensor_check.h"

#include <cmath>

namespace sluice {
namespace {

constexpr int kSteadySamples = 5;
// Sensors step by up to this much (1 degree is common, 2 occur), however short the time between two samples.
constexpr double kStepKelvin = 3.0;

// Chips live between the deepest frost and a little above their trips (105 to 115 degrees C); a case and a
// battery are far from both.
constexpr TemperatureLimits kChip{-45, 150, 40, 30, 8};
constexpr TemperatureLimits kCase{-45, 100, 5, 300, 20};

}  // namespace

const TemperatureLimits& temperature_limits(HeatRole role) {
  return role == HeatRole::kSkin || role == HeatRole::kBattery ? kCase : kChip;
}

Health TemperatureCheck::see(std::optional<double> celsius, TimeNs now, std::optional<double> others) {
  if (!celsius) return Health::kVanished;
  if (!std::isfinite(*celsius) || *celsius < limits_->low_c || *celsius > limits_->high_c) {
    return Health::kNonsense;
  }
  const Health health = judge(*celsius, now, others);
  last_ = celsius;
  last_at_ = now;
  return health;
}

Health TemperatureCheck::judge(double celsius, TimeNs now, std::optional<double> others) {
  const bool moved = !last_ || *last_ != celsius;
  const double most = limits_->kelvin_per_s * to_s(now - last_at_) + kStepKelvin;
  if (last_ && std::abs(celsius - *last_) > most) {
    steady_to_go_ = kSteadySamples;
  } else if (steady_to_go_ > 0) {
    --steady_to_go_;
  }
  if (moved || !others_then_) {
    unchanged_since_ = now;
    others_then_ = others;
  }
  // Standing still says nothing before the others move.
  if (others && others_then_ && std::abs(*others - *others_then_) < kStepKelvin) unchanged_since_ = now;
  if (steady_to_go_ > 0) return Health::kJumped;
  return stands_still(now, others) ? Health::kStuck : Health::kGood;
}

bool TemperatureCheck::stands_still(TimeNs now, std::optional<double> others) const {
  if (!others || !others_then_ || to_s(now - unchanged_since_) < limits_->stuck_s) return false;
  return std::abs(*others - *others_then_) >= limits_->stuck_others_k;
}

Health check_range(std::optional<double> value, double low, double high) {
  if (!value) return Health::kVanished;
  return std::isfinite(*value) && *value >= low && *value <= high ? Health::kGood : Health::kNonsense;
}

}  // namespace sluice
