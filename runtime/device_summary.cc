#include "runtime/device_summary.h"

#include <algorithm>

namespace sluice {

void DeviceSummary::Mean::add(const Reading& reading) {
  if (!reading.value) return;
  max = count == 0 ? *reading.value : std::max(max, *reading.value);
  sum += *reading.value;
  ++count;
}

void DeviceSummary::add(const Readings& readings) {
  for (std::size_t r = 0; r < kHeatRoles; ++r) heat_[r].add(readings.temperature_c[r]);
  power_.add(readings.power_w);
}

DeviceReport DeviceSummary::report(std::string telemetry) const {
  const auto mean = [](const Mean& m) -> std::optional<double> {
    return m.count > 0 ? std::optional(m.sum / static_cast<double>(m.count)) : std::nullopt;
  };
  DeviceReport out;
  out.telemetry = std::move(telemetry);
  for (std::size_t r = 0; r < kHeatRoles; ++r) {
    const Mean& m = heat_[r];
    out.temperature_c.push_back({std::string(name_of(static_cast<HeatRole>(r))), mean(m),
                                 m.count > 0 ? std::optional(m.max) : std::nullopt});
  }
  out.power_w = mean(power_);
  return out;
}

}  // namespace sluice
