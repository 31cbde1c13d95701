// Telemetry of this machine: thermal zones, hwmon, power supplies, RAPL, cpufreq, devfreq, kgsl, /proc.
#pragma once

#include <memory>
#include <string>

#include "inference/telemetry/sensor_check.h"
#include "inference/telemetry/sysfs_layout.h"
#include "inference/telemetry/telemetry.h"

namespace sluice {

// Sensors are looked for once, when it is made; one that vanishes and comes back is used again.
class SysfsTelemetry final : public Telemetry {
 public:
  // `root` stands for "/" in tests.
  explicit SysfsTelemetry(const std::string& root = "");

  std::string_view source() const override { return "sysfs"; }
  Readings sample(TimeNs now) override;
  std::vector<SensorState> sensors() const override;
  std::vector<std::string> take_notices() override;

 private:
  struct Temperature {
    TemperatureFile file;
    TemperatureCheck check;
    Reading now;
    double raw = 0;  // as read, for the notice
  };
  struct CpuTimes {
    double busy = 0, all = 0;
  };

  void sample_temperatures(TimeNs now, Readings& out);
  std::optional<double> hottest_but(std::size_t index) const;
  void note_change(const Temperature& sensor, Health before);
  void sample_clocks(TimeNs now, Readings& out) const;
  void sample_utilisation(TimeNs now, Readings& out);
  void sample_pressure(TimeNs now, Readings& out) const;
  std::optional<double> read_power(TimeNs now);
  std::optional<double> read_energy_rate(TimeNs now);
  std::optional<double> read_memory_mb();
  std::optional<CpuTimes> read_cpu_times();

  SysfsLayout layout_;
  std::vector<Temperature> temperatures_;
  std::vector<double> energies_;  // uJ, of the sample before
  TimeNs energies_at_ = -1;
  std::optional<CpuTimes> cpu_times_;
  Readings last_;
  std::string buffer_;
  std::vector<std::string> notices_;
};

// Empty when it is used; else "could not be read", "42000.0 degrees C cannot be", ...
std::string describe(Health health, double raw);

}  // namespace sluice
