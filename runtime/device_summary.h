// Readings of a run as the report's `device` part: means and maxima, by role.
#pragma once

#include <array>
#include <cstdint>

#include "inference/telemetry/readings.h"
#include "runtime/report.h"

namespace sluice {

class DeviceSummary {
 public:
  void add(const Readings& readings);
  DeviceReport report(std::string telemetry) const;

 private:
  struct Mean {
    double sum = 0, max = 0;
    std::uint64_t count = 0;
    void add(const Reading& reading);
  };
  std::array<Mean, kHeatRoles> heat_;
  Mean power_;
};

}  // namespace sluice
