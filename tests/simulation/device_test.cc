#include "simulation/device.h"

#include <gtest/gtest.h>

#include "simulation/power_law.h"
#include "simulation/profile_reader.h"

namespace sluice {
namespace {

// FNV-1a of the trace below.
constexpr std::uint64_t kTraceHash = 206992952481710196u;

DeviceProfile one_unit(int queues = 1) {
  DeviceProfile profile;
  profile.nodes = {{"die", 1}};
  profile.links = {{0, kAmbient, 10}};
  UnitProfile unit;
  unit.idle_w = 0.5;
  unit.active_w = 2.5;
  unit.queues = queues;
  profile.units = {unit};
  profile.sensors = {{HeatRole::kCpu, 0, 0, 0, 0}};
  return profile;
}

Work work_of(double compute_ms, double speed = 1) {
  Work work;
  work.compute_ms = compute_ms;
  work.speed = speed;
  return work;
}

TEST(PowerLaw, IsF25AndBack) {
  EXPECT_NEAR(power_share(0.5), 0.1767767, 1e-6);
  EXPECT_EQ(power_share(1), 1);
  EXPECT_NEAR(speed_for(power_share(0.73)), 0.73, 1e-9);
}

TEST(SimulatedDevice, RunsWaitForTheirUnitsQueues) {
  SimulatedDevice device(one_unit(2), 25, 1);
  EXPECT_EQ(device.run(work_of(10), 0).end, from_ms(10));
  EXPECT_EQ(device.run(work_of(10), 0).end, from_ms(10)) << "the second queue";
  const SimulatedDevice::Span third = device.run(work_of(10), from_ms(1));
  EXPECT_EQ(third.start, from_ms(10));
  EXPECT_EQ(third.end, from_ms(20));
}

TEST(SimulatedDevice, ASlowerModeTakesLongerAndLess) {
  SimulatedDevice fast(one_unit(), 25, 1), slow(one_unit(), 25, 1);
  EXPECT_EQ(fast.run(work_of(1000), 0).end, from_s(1));
  EXPECT_EQ(slow.run(work_of(1000, 0.5), 0).end, from_s(2));
  fast.advance(from_s(2));
  slow.advance(from_s(2));
  EXPECT_NEAR(fast.energy_j(), 2 * 0.5 + 2, 1e-9);
  EXPECT_NEAR(slow.energy_j(), 2 * 0.5 + 2 * 2 * power_share(0.5), 1e-9);
}

TEST(SimulatedDevice, SettlesUntilNothingMovesOrTheTimeIsOver) {
  SimulatedDevice device(one_unit(), 25, 1);
  const SimulatedDevice::Idle none = device.settle(0.05, 0);
  EXPECT_EQ(none.seconds, 0);
  EXPECT_FALSE(none.steady);
  const SimulatedDevice::Idle part = device.settle(0, 90);
  EXPECT_NEAR(part.seconds, 90, 1e-9);
  EXPECT_FALSE(part.steady);
  const SimulatedDevice::Idle whole = device.settle(0.05, 1e5);
  EXPECT_TRUE(whole.steady);
  EXPECT_LT(whole.seconds, 1e5);
  const double before = device.temperature(0);
  device.advance(device.now() + from_s(60));
  EXPECT_NEAR(device.temperature(0), before, 0.05);
}

TEST(SimulatedDevice, ReadingsTellLoadPowerAndHeat) {
  SimulatedDevice device(one_unit(), 25, 1);
  device.run(work_of(500), 0);
  device.advance(from_s(1));
  const Readings now = device.readings(from_s(1));
  EXPECT_TRUE(now.simulated);
  EXPECT_NEAR(*now.utilisation[static_cast<std::size_t>(UnitRole::kCpu)].value, 0.5, 1e-9);
  EXPECT_NEAR(*now.power_w.value, 1.5, 1e-9);
  EXPECT_GT(*now.temperature(HeatRole::kCpu).value, 25.5);
  EXPECT_FALSE(now.temperature(HeatRole::kNpu).value);
}

// As a real one's clock: what a performance mode sets shows as well as what the governor leaves.
TEST(SimulatedDevice, TheClockIsThatOfWhatRan) {
  DeviceProfile profile = one_unit();
  profile.units[0].max_mhz = 1000;
  SimulatedDevice device(profile, 25, 1);
  const auto clock_at = [&](double seconds) {
    device.advance(from_s(seconds));
    return *device.readings(from_s(seconds)).clock_mhz[static_cast<std::size_t>(UnitRole::kCpu)].value;
  };
  device.run(work_of(200, 0.5), 0);
  EXPECT_NEAR(clock_at(1), 500, 1e-6);
  EXPECT_NEAR(clock_at(2), 1000, 1e-6) << "nothing ran: what it may have";
  device.run(work_of(250, 0.5), from_s(2));
  device.run(work_of(500), from_s(2));
  EXPECT_NEAR(clock_at(3), 750, 1e-6) << "the mean over the time at work";
}

TEST(SimulatedDevice, SensorsLagStepAndAreNoisy) {
  DeviceProfile profile = one_unit();
  profile.sensors = {
      {HeatRole::kCpu, 0, 0, 1.0, 0}, {HeatRole::kSkin, 0, 0, 0, 3}, {HeatRole::kNpu, 0, 0.5, 0, 0}};
  SimulatedDevice device(profile, 25, 1);
  device.run(work_of(20'000), 0);
  double squares = 0;
  for (int s = 1; s <= 20; ++s) {
    device.advance(from_s(s));
    const Readings now = device.readings(from_s(s));
    const double truth = device.temperature(0);
    const double step = *now.temperature(HeatRole::kCpu).value;
    EXPECT_EQ(step, static_cast<int>(step));
    EXPECT_NEAR(step, truth, 0.5);
    EXPECT_LT(*now.temperature(HeatRole::kSkin).value, truth) << "it warms, so the lagging one is below";
    const double error = *now.temperature(HeatRole::kNpu).value - truth;
    squares += error * error;
  }
  EXPECT_NEAR(squares / 20, 0.25, 0.2);
}

TEST(SimulatedDevice, TheGovernorCapsAndLetsGo) {
  DeviceProfile profile = one_unit();
  profile.governor.kind = GovernorKind::kStep;
  profile.governor.trips = {{0, 35, 2, 0.1, {0}}};
  SimulatedDevice device(profile, 25, 1);
  device.run(work_of(30'000), 0);
  device.advance(from_s(20));
  EXPECT_LT(device.cap(0), 1);
  device.advance(from_s(120));
  EXPECT_EQ(device.cap(0), 1);
}

TEST(SimulatedDevice, IpaHoldsTheTemperature) {
  DeviceProfile profile = one_unit();
  profile.units[0].active_w = 6;
  profile.governor.kind = GovernorKind::kIpa;
  profile.governor.sustainable_w = 2;
  profile.governor.k_po = 0.2;
  profile.governor.k_pu = 0.4;
  profile.governor.k_i = 0.02;
  profile.governor.trips = {{0, 45, 2, 0.1, {0}}};
  SimulatedDevice device(profile, 25, 1);
  double hottest = 0;
  for (int s = 0; s < 300; ++s) {
    TimeNs now = from_s(s);
    device.advance(now);
    while (now < from_s(s + 1)) now = device.run(work_of(50), now).end;
    if (s > 100) hottest = std::max(hottest, device.temperature(0));
  }
  EXPECT_NEAR(device.temperature(0), 45, 1.5);
  EXPECT_LT(hottest, 48);
}

// The same numbers on every machine: these are from x86-64, and an aarch64 build has to give them too.
TEST(SimulatedDevice, IsTheSameToTheBitEverywhere) {
  auto profile = load_profile("qcs6490");
  ASSERT_TRUE(profile.ok()) << profile.status().message();
  const auto trace = [&] {
    SimulatedDevice device(*profile, 35, 7);
    std::string out;
    for (int s = 0; s < 600; ++s) {
      TimeNs now = from_s(s);
      device.advance(now);
      Work work = work_of(3.3);
      work.jitter = 0.05;
      while (now < from_s(s + 1)) now = device.run(work, now).end;
      const Readings readings = device.readings(now);
      out += std::to_string(now) + " " + std::to_string(*readings.temperature(HeatRole::kNpu).value) + "\n";
    }
    return out;
  };
  const std::string once = trace();
  EXPECT_EQ(once, trace());
  std::uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : once) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  EXPECT_EQ(hash, kTraceHash);
}

}  // namespace
}  // namespace sluice
