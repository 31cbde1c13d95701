// Four real layouts, and what sensors do when they fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/telemetry/sysfs_telemetry.h"
#include "tests/inference/telemetry/fixture_tree.h"

namespace sluice::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::size_t at(UnitRole role) { return static_cast<std::size_t>(role); }

// None: unknown.
std::optional<double> celsius(const Readings& readings, HeatRole role) {
  return readings.temperature(role).value;
}

TEST(SysfsLayouts, Qcs6490Mainline) {
  const FixtureTree tree("qcs6490_mainline");
  ASSERT_GT(tree.files(), 70);
  SysfsTelemetry telemetry(tree.root());
  const Readings first = telemetry.sample(0);
  EXPECT_EQ(celsius(first, HeatRole::kNpu), 46.2);
  EXPECT_EQ(celsius(first, HeatRole::kGpu), 39.7);
  EXPECT_EQ(celsius(first, HeatRole::kCpu), 44.5);
  EXPECT_EQ(celsius(first, HeatRole::kSkin), 33.4);
  EXPECT_EQ(celsius(first, HeatRole::kBattery), std::nullopt);
  EXPECT_EQ(first.hottest_c(), 46.2);
  EXPECT_EQ(first.clock_mhz[at(UnitRole::kCpu)].value, 2208);
  EXPECT_EQ(first.max_clock_mhz[at(UnitRole::kCpu)].value, 2707.2);
  EXPECT_EQ(first.clock_mhz[at(UnitRole::kGpu)].value, 315);
  EXPECT_FALSE(first.clock_mhz[at(UnitRole::kNpu)].value) << "this kernel does not tell it";
  EXPECT_EQ(first.pressure.value, 0);
  EXPECT_FALSE(first.power_w.value) << "there is no power sensor";
  EXPECT_EQ(first.power_w.health, Health::kAbsent);
  EXPECT_FALSE(first.utilisation[at(UnitRole::kCpu)].value) << "a share needs two samples";
  EXPECT_NEAR(*first.memory_used_mb.value, (7637412 - 6504120) / 1024.0, 1e-9);
  EXPECT_FALSE(first.simulated);
  EXPECT_THAT(telemetry.take_notices(), IsEmpty());
}

TEST(SysfsLayouts, AndroidSnapdragon) {
  FixtureTree tree("android_snapdragon");
  SysfsTelemetry telemetry(tree.root());
  Readings now = telemetry.sample(0);
  EXPECT_EQ(celsius(now, HeatRole::kNpu), 52.4);
  EXPECT_EQ(celsius(now, HeatRole::kGpu), 44.7) << "kgsl's own sensor is the hottest";
  EXPECT_EQ(celsius(now, HeatRole::kCpu), 49.1);
  EXPECT_EQ(celsius(now, HeatRole::kSkin), 36.9);
  EXPECT_EQ(celsius(now, HeatRole::kBattery), 31.2);
  EXPECT_EQ(now.clock_mhz[at(UnitRole::kGpu)].value, 401);
  EXPECT_EQ(now.max_clock_mhz[at(UnitRole::kGpu)].value, 680);
  EXPECT_EQ(now.utilisation[at(UnitRole::kGpu)].value, 0.37);
  EXPECT_EQ(now.pressure.value, 0.25) << "the strongest: 4 of 16";
  EXPECT_EQ(now.ddr_mhz.value, 2092);
  EXPECT_EQ(now.bus_mhz.value, 806);
  EXPECT_NEAR(*now.power_w.value, 0.8125 * 4.012, 1e-9) << "the sign differs between vendors";
  tree.set("sys/class/power_supply/battery/status", "Charging");
  tree.set("proc/stat", "cpu  112445 2310 45220 981434 3120 8123 4120 0 0 0");
  now = telemetry.sample(from_s(1));
  EXPECT_FALSE(now.power_w.value) << "while it charges, its current is not what the device draws";
  EXPECT_EQ(now.utilisation[at(UnitRole::kCpu)].value, 0.5);
}

TEST(SysfsLayouts, ZonesThatAreNoTemperaturesAreListedWithTheReason) {
  const FixtureTree tree("android_snapdragon");
  SysfsTelemetry telemetry(tree.root());
  telemetry.sample(0);
  std::vector<std::string> no_heat, other;
  for (const SensorState& s : telemetry.sensors()) {
    if (s.problem.starts_with("no temperature")) no_heat.push_back(s.name);
    if (s.problem.starts_with("its heat is of none")) other.push_back(s.name);
  }
  EXPECT_THAT(no_heat, ElementsAre("pm8550b-ibat-lvl0", "pm8550b-bcl-lvl0", "vbat", "soc", "socd"));
  EXPECT_THAT(other, ElementsAre("aoss-0", "ddr", "camera-0", "xo-therm"));
}

TEST(SysfsLayouts, X86Laptop) {
  FixtureTree tree("x86_laptop");
  SysfsTelemetry telemetry(tree.root());
  Readings now = telemetry.sample(from_s(1));
  EXPECT_EQ(celsius(now, HeatRole::kCpu), 54) << "coretemp's core";
  EXPECT_EQ(celsius(now, HeatRole::kSkin), 38.05);
  EXPECT_EQ(celsius(now, HeatRole::kNpu), std::nullopt);
  EXPECT_EQ(now.clock_mhz[at(UnitRole::kCpu)].value, 1800);
  EXPECT_EQ(now.clock_mhz[at(UnitRole::kGpu)].value, 300);
  EXPECT_EQ(now.pressure.value, 0) << "a fan that runs is no pressure";
  EXPECT_FALSE(now.power_w.value) << "energy needs two samples";
  // 28850 uJ to the counter's end, and 5971150 from its start: 6 J in 2 s.
  tree.set("sys/class/powercap/intel-rapl:0/energy_uj", 5'971'150);
  now = telemetry.sample(from_s(3));
  EXPECT_NEAR(*now.power_w.value, 3, 1e-6) << "the counter wraps";
}

TEST(SysfsLayouts, PowerIsOfTheBatteryOnceItDischarges) {
  FixtureTree tree("x86_laptop");
  tree.set("sys/class/power_supply/BAT0/status", "Discharging");
  tree.set("sys/class/power_supply/BAT0/power_now", 8'500'000);
  SysfsTelemetry telemetry(tree.root());
  EXPECT_EQ(telemetry.sample(0).power_w.value, 8.5) << "and not of the mouse's";
}

// What the whole device draws, rather than its processors alone, also beside a battery that is full.
TEST(SysfsLayouts, PowerIsOfTheWholeDeviceWhereThatIsKnown) {
  FixtureTree tree("x86_laptop");
  tree.set("sys/class/powercap/intel-rapl:1/name", "psys");
  tree.set("sys/class/powercap/intel-rapl:1/energy_uj", 1'000'000);
  EXPECT_EQ(look_at_sysfs(tree.root()).power.name, "RAPL psys");
  SysfsTelemetry telemetry(tree.root());
  telemetry.sample(from_s(1));
  tree.set("sys/class/powercap/intel-rapl:1/energy_uj", 23'000'000);
  EXPECT_NEAR(*telemetry.sample(from_s(3)).power_w.value, 11, 1e-6);
  tree.set("sys/class/power_supply/BAT0/status", "Discharging");
  EXPECT_EQ(look_at_sysfs(tree.root()).power.name, "battery BAT0");
}

TEST(SysfsLayouts, AContainerWithoutSensors) {
  const FixtureTree tree("container");
  SysfsTelemetry telemetry(tree.root());
  const Readings now = telemetry.sample(0);
  EXPECT_EQ(now.hottest_c(), std::nullopt);
  for (const Reading& t : now.temperature_c) EXPECT_EQ(t.health, Health::kAbsent);
  EXPECT_EQ(now.pressure.health, Health::kAbsent);
  EXPECT_TRUE(now.memory_used_mb.value);
}

TEST(SysfsLayouts, NothingAtAll) {
  SysfsTelemetry telemetry("/nowhere/at/all");
  EXPECT_EQ(telemetry.sample(0).memory_used_mb.health, Health::kAbsent);
  EXPECT_THAT(telemetry.sensors(), IsEmpty());
}

// --- faults: excluded, said once, and believed again when they end ---

class SensorFaults : public ::testing::TestWithParam<int> {
 protected:
  static constexpr const char* kNpu = "sys/class/thermal/thermal_zone18/temp";       // nspss0
  static constexpr const char* kOtherNpu = "sys/class/thermal/thermal_zone19/temp";  // nspss1

  // One sample a second; `others_c` moves all other chips.
  Readings step(double others_c) {
    tree_.set(kOtherNpu, others_c * 1000 - 300);
    return telemetry_.sample(from_s(static_cast<double>(second_++)));
  }
  // The moment of the run at which the fault begins.
  void run_until_fault() {
    for (int i = 0; i < GetParam(); ++i) step(46 + i % 2);
    telemetry_.take_notices();
  }

  FixtureTree tree_{"qcs6490_mainline"};
  SysfsTelemetry telemetry_{tree_.root()};
  int second_ = 0;
};
INSTANTIATE_TEST_SUITE_P(AtEveryMoment, SensorFaults, ::testing::Values(1, 2, 3, 7, 30, 61));

TEST_P(SensorFaults, OneThatVanishesIsExcludedAndComesBack) {
  run_until_fault();
  tree_.remove(kNpu);
  EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 45.7) << "the other NPU sensor remains";
  EXPECT_THAT(telemetry_.take_notices(),
              ElementsAre("sensor 'nspss0-thermal' (npu): it cannot be read; excluded"));
  tree_.remove(kOtherNpu);
  const Readings none = telemetry_.sample(from_s(second_++));
  EXPECT_EQ(none.temperature(HeatRole::kNpu).value, std::nullopt);
  EXPECT_EQ(none.temperature(HeatRole::kNpu).health, Health::kVanished);
  EXPECT_TRUE(none.hottest_c()) << "gpu and cpu are still known";
  telemetry_.take_notices();
  tree_.set(kNpu, 47100);
  EXPECT_EQ(telemetry_.sample(from_s(second_++)).temperature(HeatRole::kNpu).value, 47.1);
  EXPECT_THAT(telemetry_.take_notices(),
              ElementsAre("sensor 'nspss0-thermal' (npu): believed again at 47.1 degrees C"));
}

TEST_P(SensorFaults, NonsenseIsExcludedAndSaidOnce) {
  run_until_fault();
  for (const double bad : {42'000'000.0, -274'000.0}) {
    tree_.set(kNpu, bad);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 45.7);
  }
  EXPECT_THAT(telemetry_.take_notices(),
              ElementsAre("sensor 'nspss0-thermal' (npu): 42000.0 degrees C cannot be; excluded"));
  tree_.set(kNpu, 46500);
  EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 46.5);
}

TEST_P(SensorFaults, TextIsNoNumber) {
  run_until_fault();
  tree_.set(kNpu, std::string("unavailable"));
  EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 45.7);
  EXPECT_THAT(telemetry_.take_notices(), ElementsAre(HasSubstr("it cannot be read; excluded")));
}

TEST_P(SensorFaults, AJumpIsExcludedUntilItIsSteadyAgain) {
  run_until_fault();
  tree_.set(kNpu, 111'000);
  EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 45.7);
  EXPECT_THAT(telemetry_.take_notices(),
              ElementsAre("sensor 'nspss0-thermal' (npu): it jumped to 111.0 degrees C faster than heat can; "
                          "excluded"));
  tree_.set(kNpu, 47'000);  // back: a jump again
  step(46);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 45.7) << i;
  EXPECT_EQ(step(46).temperature(HeatRole::kNpu).value, 47) << "five samples without a jump";
}

TEST_P(SensorFaults, OneThatSticksIsExcludedWhenOthersMove) {
  run_until_fault();
  for (int i = 0; i < 30; ++i) EXPECT_EQ(step(46).temperature(HeatRole::kNpu).health, Health::kGood);
  // The device warms by 12 K and this sensor says nothing of it.
  for (int i = 0; i < 12; ++i) step(46 + i);
  for (int i = 0; i < 30; ++i) step(58);
  const Readings hot = step(58);
  EXPECT_EQ(hot.temperature(HeatRole::kNpu).value, 57.7);
  EXPECT_THAT(telemetry_.take_notices(),
              ::testing::Contains("sensor 'nspss0-thermal' (npu): it stands still at 46.2 degrees C while "
                                  "others move; excluded"));
  tree_.set(kNpu, 58'000);
  EXPECT_EQ(step(58).temperature(HeatRole::kNpu).value, 58);
}

TEST(SensorCheck, AQuietDeviceMakesNoSensorStuck) {
  TemperatureCheck check(HeatRole::kNpu);
  for (int s = 0; s < 3600; ++s) EXPECT_EQ(check.see(40, from_s(s), 41), Health::kGood);
  TemperatureCheck alone(HeatRole::kNpu);
  for (int s = 0; s < 3600; ++s) EXPECT_EQ(alone.see(40, from_s(s), std::nullopt), Health::kGood);
}

// A gpu that idles beside a cpu that begins to work.
TEST(SensorCheck, ASensorIsStuckOnlyLongAfterTheOthersBeganToMove) {
  TemperatureCheck check(HeatRole::kGpu);
  for (int s = 0; s < 120; ++s) EXPECT_EQ(check.see(40, from_s(s), 41), Health::kGood);
  int stuck_at = 0;
  for (int s = 120; s < 200 && stuck_at == 0; ++s)
    if (check.see(40, from_s(s), std::min(54, 41 + s - 120)) == Health::kStuck) stuck_at = s;
  // 3 K are no step of a sensor any more; 30 s later it must have moved.
  EXPECT_NEAR(stuck_at, 123 + 30, 1);
}

TEST(SensorCheck, ALongSleepIsNoJump) {
  TemperatureCheck check(HeatRole::kSkin);
  EXPECT_EQ(check.see(41, 0, std::nullopt), Health::kGood);
  EXPECT_EQ(check.see(22, from_s(600), std::nullopt), Health::kGood) << "cooled while suspended";
}

TEST(SensorCheck, ACaseMovesSlowerThanAChip) {
  TemperatureCheck skin(HeatRole::kSkin), chip(HeatRole::kCpu);
  skin.see(30, 0, {});
  chip.see(30, 0, {});
  EXPECT_EQ(skin.see(60, from_s(1), {}), Health::kJumped);
  EXPECT_EQ(chip.see(60, from_s(1), {}), Health::kGood) << "30 W into 1 J/K";
}

}  // namespace
}  // namespace sluice::testing
