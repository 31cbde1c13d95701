#include "inference/telemetry/readings.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

Reading good(double value, TimeNs taken = 0) { return {value, taken, Health::kGood}; }

TEST(Readings, WhatNoSensorGivesIsUnknownNotZero) {
  const Readings readings;
  EXPECT_FALSE(readings.temperature(HeatRole::kNpu).value);
  EXPECT_EQ(readings.temperature(HeatRole::kNpu).health, Health::kAbsent);
  EXPECT_FALSE(readings.power_w.value);
  EXPECT_FALSE(readings.hottest_c());
}

// Skin and battery have limits of their own: `max_temperature_c` is about the chips.
TEST(Readings, HottestIsOfNpuGpuAndCpuAlone) {
  Readings readings;
  readings.temperature(HeatRole::kSkin) = good(90);
  readings.temperature(HeatRole::kBattery) = good(91);
  EXPECT_FALSE(readings.hottest_c());
  readings.temperature(HeatRole::kCpu) = good(55);
  readings.temperature(HeatRole::kNpu) = good(61);
  EXPECT_EQ(readings.hottest_c(), 61);
}

TEST(Readings, AgeIsFromWhenItWasTaken) {
  Readings readings;
  readings.at = from_s(10);
  readings.power_w = good(2, from_s(8));
  EXPECT_EQ(age_of(readings, readings.power_w), from_s(2));
}

TEST(Readings, NamesAreTheContracts) {
  EXPECT_EQ(name_of(HeatRole::kNpu), "npu");
  EXPECT_EQ(name_of(HeatRole::kBattery), "battery");
  EXPECT_EQ(name_of(UnitRole::kCpu), "cpu");
  EXPECT_EQ(name_of(Health::kAbsent), "absent");
  EXPECT_EQ(name_of(Health::kNonsense), "nonsense");
}

}  // namespace
}  // namespace sluice
