// Whether a sensor's value is to be believed: pure, one object per sensor, told of every sample.
#pragma once

#include <optional>

#include "inference/telemetry/readings.h"

namespace sluice {

// What a temperature of a role can do. Rates: a die of 1 J/K at 30 W moves 30 K/s; a case of 100 J/K far
// less.
struct TemperatureLimits {
  double low_c, high_c;   // outside: nonsense
  double kelvin_per_s;    // faster: a jump
  double stuck_s;         // stuck: unchanged this long since the others began to move ...
  double stuck_others_k;  // ... and by now have moved by this much
};
const TemperatureLimits& temperature_limits(HeatRole role);

class TemperatureCheck {
 public:
  explicit TemperatureCheck(HeatRole role) : limits_(&temperature_limits(role)) {}

  // `celsius`: none when the sensor could not be read. `others`: the hottest believed temperature of all
  // other sensors in the sample before; none: there is nothing to compare with, so nothing can be stuck.
  Health see(std::optional<double> celsius, TimeNs now, std::optional<double> others);

 private:
  Health judge(double celsius, TimeNs now, std::optional<double> others);
  bool stands_still(TimeNs now, std::optional<double> others) const;

  const TemperatureLimits* limits_;
  std::optional<double> last_;
  TimeNs last_at_ = 0;
  TimeNs unchanged_since_ = 0;         // since the value changed last, or the others began to move after that
  std::optional<double> others_then_;  // when the value changed last
  int steady_to_go_ = 0;               // samples without a jump until it is believed again
};

// Power, clocks, shares and memory: a range is all that can be checked.
Health check_range(std::optional<double> value, double low, double high);

}  // namespace sluice
