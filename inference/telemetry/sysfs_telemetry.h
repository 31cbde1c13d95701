// Telemetry of this machine: thermal zones, hwmon, power supplies, RAPL, cpufreq, devfreq, kgsl, /proc.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

  // One of the other sensors.
  struct Watch {
    std::string who;
    std::string_view unit;
    Health last = Health::kAbsent;
  };

  void sample_temperatures(TimeNs now, Readings& out);
  std::optional<double> hottest_but(std::size_t index) const;
  void note_change(const Temperature& sensor, Health before);
  Reading judged(Watch& watch, std::optional<double> value, TimeNs now, double low, double high);
  void sample_clocks(TimeNs now, Readings& out);
  void sample_utilisation(TimeNs now, Readings& out);
  void sample_pressure(TimeNs now, Readings& out);
  std::optional<double> read_power(TimeNs now, bool& lost);
  std::optional<double> read_energy_rate(TimeNs now, bool& lost);
  std::optional<double> read_memory_mb();
  std::optional<CpuTimes> read_cpu_times();

  SysfsLayout layout_;
  std::vector<Temperature> temperatures_;
  std::vector<Watch> clocks_, cooling_;  // as in the layout
  Watch power_{"", "W"}, gpu_load_{"load of the gpu", ""}, ddr_{"DDR clock", "MHz"}, bus_{"bus clock", "MHz"},
      memory_{"memory", "MB"};
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
