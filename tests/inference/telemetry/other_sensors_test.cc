// Sensors besides temperatures, units, and layouts that are none of the four of sysfs_test.cc.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/telemetry/sysfs_telemetry.h"
#include "tests/inference/telemetry/fixture_tree.h"

namespace sluice::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::size_t at(UnitRole role) { return static_cast<std::size_t>(role); }

// Faults of power and clock sensors of a phone, beginning at each second.
class OtherSensorFaults : public ::testing::TestWithParam<int> {
 protected:
  static constexpr const char* kStatus = "sys/class/power_supply/battery/status";
  static constexpr const char* kCurrent = "sys/class/power_supply/battery/current_now";
  static constexpr const char* kGpuClock = "sys/class/kgsl/kgsl-3d0/gpuclk";

  OtherSensorFaults() { tree_.set(kStatus, "Discharging"); }
  Readings step() { return telemetry_->sample(from_s(static_cast<double>(second_++))); }
  void run_until_fault() {
    telemetry_.emplace(tree_.root());
    for (int i = 0; i < GetParam(); ++i) step();
    EXPECT_THAT(telemetry_->take_notices(), IsEmpty());
  }

  FixtureTree tree_{"android_snapdragon"};
  std::optional<SysfsTelemetry> telemetry_;
  int second_ = 0;
};
INSTANTIATE_TEST_SUITE_P(AtEveryMoment, OtherSensorFaults, ::testing::Values(1, 2, 3, 30, 61));

TEST_P(OtherSensorFaults, APowerSensorThatVanishesIsSaidOnceAndComesBack) {
  run_until_fault();
  tree_.remove(kCurrent);
  for (int i = 0; i < 3; ++i) {
    const Readings now = step();
    EXPECT_FALSE(now.power_w.value);
    EXPECT_EQ(now.power_w.health, Health::kVanished) << "not the same as while it charges";
  }
  EXPECT_THAT(telemetry_->take_notices(),
              ElementsAre("power 'battery battery': it cannot be read; excluded"));
  tree_.set(kCurrent, -1'000'000);
  EXPECT_NEAR(*step().power_w.value, 4.012, 1e-9);
  EXPECT_THAT(telemetry_->take_notices(), ElementsAre("power 'battery battery': believed again at 4.012 W"));
  tree_.set(kStatus, "Charging");
  EXPECT_EQ(step().power_w.health, Health::kAbsent);
  EXPECT_THAT(telemetry_->take_notices(), IsEmpty()) << "that is no fault";
}

TEST_P(OtherSensorFaults, NonsenseOfPowerAndClocksIsExcludedAndSaid) {
  run_until_fault();
  tree_.set(kCurrent, 812'500'000'000);  // a milliampere too many by a million
  tree_.set(kGpuClock, 401'000'000'000'000);
  for (int i = 0; i < 3; ++i) {
    const Readings now = step();
    EXPECT_EQ(now.power_w.health, Health::kNonsense);
    EXPECT_FALSE(now.power_w.value);
    EXPECT_FALSE(now.clock_mhz[at(UnitRole::kGpu)].value);
  }
  EXPECT_THAT(telemetry_->take_notices(),
              ElementsAre("clock 'kgsl-3d0' (gpu): 4.01e+08 MHz cannot be; excluded",
                          "power 'battery battery': 3.25975e+06 W cannot be; excluded"));
}

TEST(OtherSensors, ACoolingDeviceThatVanishesIsSaidOnceAndComesBack) {
  FixtureTree tree("container");
  const std::string folder = "sys/class/thermal/cooling_device0";
  tree.set(folder + "/type", "thermal-cpufreq-0");
  tree.set(folder + "/max_state", 10);
  tree.set(folder + "/cur_state", 3);
  SysfsTelemetry telemetry(tree.root());
  EXPECT_EQ(telemetry.sample(0).pressure.value, 0.3);
  for (const char* const broken : {"", "abc"}) {
    if (*broken == '\0')
      tree.remove(folder + "/cur_state");
    else
      tree.set(folder + "/cur_state", broken);
    for (int s = 1; s < 4; ++s) EXPECT_EQ(telemetry.sample(from_s(s)).pressure.health, Health::kVanished);
    EXPECT_THAT(telemetry.take_notices(),
                ElementsAre("cooling device 'thermal-cpufreq-0': it cannot be read; excluded"));
    tree.set(folder + "/cur_state", 4);
    EXPECT_EQ(telemetry.sample(from_s(4)).pressure.value, 0.4);
    EXPECT_THAT(telemetry.take_notices(),
                ElementsAre("cooling device 'thermal-cpufreq-0': believed again at 0.4 of its most"));
  }
}

TEST(OtherSensors, ACounterThatStartsAgainIsNoPower) {
  FixtureTree tree("x86_laptop");
  SysfsTelemetry telemetry(tree.root());
  telemetry.sample(from_s(1));
  tree.set("sys/class/powercap/intel-rapl:0/energy_uj", 1);
  tree.set("sys/class/powercap/intel-rapl:0/max_energy_range_uj", 0);
  const Readings now = telemetry.sample(from_s(2));
  if (now.power_w.value) {
    EXPECT_LT(*now.power_w.value, 1000);
    EXPECT_GE(*now.power_w.value, 0);
  }
  tree.remove("sys/class/powercap/intel-rapl:0/energy_uj");
  EXPECT_EQ(telemetry.sample(from_s(3)).power_w.health, Health::kVanished);
  EXPECT_THAT(telemetry.take_notices(), ElementsAre("power 'RAPL packages': it cannot be read; excluded"));
}

// Old kernels count in degrees or tenths of one, and a sensor that is off says 0: none of them is 0.05
// degrees.
TEST(OtherSensors, AnotherUnitIsNotBelieved) {
  for (const auto& [raw, says] : {std::pair(47.0, "0.047"), {470.0, "0.47"}, {0.0, "0"}}) {
    FixtureTree tree("container");
    tree.set("sys/class/thermal/thermal_zone0/type", "cpu-thermal");
    tree.set("sys/class/thermal/thermal_zone0/temp", raw);
    SysfsTelemetry telemetry(tree.root());
    EXPECT_EQ(telemetry.sample(0).temperature(HeatRole::kCpu).health, Health::kNonsense) << raw;
    EXPECT_FALSE(telemetry.sample(from_s(1)).hottest_c());
    EXPECT_THAT(telemetry.take_notices(), ElementsAre(std::string("sensor 'cpu-thermal' (cpu): ") + says +
                                                      " degrees C is taken for another unit; excluded"));
    tree.set("sys/class/thermal/thermal_zone0/temp", 47'000);
    EXPECT_EQ(telemetry.sample(from_s(2)).hottest_c(), 47);
  }
}

TEST(OtherLayouts, ARaspberryPi) {
  FixtureTree tree("container");
  tree.set("sys/class/thermal/thermal_zone0/type", "cpu-thermal");
  tree.set("sys/class/thermal/thermal_zone0/temp", 47'750);
  tree.set("sys/class/hwmon/hwmon0/name", "cpu_thermal");
  tree.set("sys/class/hwmon/hwmon0/temp1_input", 47'750);
  tree.set("sys/class/thermal/cooling_device0/type", "pwm-fan");
  tree.set("sys/class/thermal/cooling_device0/cur_state", 2);
  tree.set("sys/class/thermal/cooling_device0/max_state", 4);
  tree.set("sys/devices/system/cpu/cpufreq/policy0/scaling_cur_freq", 1'500'000);
  tree.set("sys/devices/system/cpu/cpufreq/policy0/cpuinfo_max_freq", 2'400'000);
  SysfsTelemetry telemetry(tree.root());
  const Readings now = telemetry.sample(0);
  EXPECT_EQ(now.temperature(HeatRole::kCpu).value, 47.75);
  EXPECT_EQ(now.pressure.health, Health::kAbsent) << "a fan that runs is no pressure";
  EXPECT_EQ(now.clock_mhz[at(UnitRole::kCpu)].value, 1500);
  EXPECT_EQ(now.power_w.health, Health::kAbsent);
}

TEST(OtherLayouts, AJetsonWritesItsZonesInCapitals) {
  FixtureTree tree("container");
  int zone = 0;
  for (const auto& [type, raw] :
       {std::pair("CPU-therm", 41'000.0), {"GPU-therm", 39'500.0}, {"AUX-therm", 38'000.0}}) {
    const std::string folder = "sys/class/thermal/thermal_zone" + std::to_string(zone++);
    tree.set(folder + "/type", std::string(type));
    tree.set(folder + "/temp", raw);
  }
  tree.set("sys/class/devfreq/17000000.gpu/cur_freq", 918'000'000);
  tree.set("sys/class/devfreq/17000000.gpu/max_freq", 1'300'500'000);
  tree.set("sys/class/hwmon/hwmon3/name", "ina3221");
  tree.set("sys/class/hwmon/hwmon3/power1_input", 6'200'000);
  SysfsTelemetry telemetry(tree.root());
  const Readings now = telemetry.sample(0);
  EXPECT_EQ(now.temperature(HeatRole::kCpu).value, 41);
  EXPECT_EQ(now.temperature(HeatRole::kGpu).value, 39.5);
  EXPECT_EQ(now.clock_mhz[at(UnitRole::kGpu)].value, 918);
  EXPECT_NEAR(now.power_w.value.value_or(0), 6.2, 1e-9);
}

// A fuel gauge without a current says nothing of power, and nothing of when a monitor may be believed.
TEST(OtherLayouts, AMonitorBesideABatteryWithoutACurrent) {
  FixtureTree tree("container");
  tree.set("sys/class/power_supply/bq27/type", "Battery");
  tree.set("sys/class/power_supply/bq27/status", "Charging");
  tree.set("sys/class/power_supply/bq27/temp", 312);
  tree.set("sys/class/hwmon/hwmon0/name", "ina226");
  tree.set("sys/class/hwmon/hwmon0/power1_input", 3'100'000);
  SysfsTelemetry telemetry(tree.root());
  const Readings now = telemetry.sample(0);
  EXPECT_NEAR(now.power_w.value.value_or(0), 3.1, 1e-9);
  EXPECT_EQ(now.temperature(HeatRole::kBattery).value, 31.2);
}

}  // namespace
}  // namespace sluice::testing
