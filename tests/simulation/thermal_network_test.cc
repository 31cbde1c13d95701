// The RC network against closed forms, and the throttling curves that the profiles' assumptions come from.
#include "simulation/thermal_network.h"

#include <gtest/gtest.h>

#include <cmath>

#include "simulation/device.h"

namespace sluice {
namespace {

// Die 8 K/W, 1 J/K on a case of 5.5 K/W, 100 J/K.
const std::vector<ThermalNode> kPhone = {{"die", 1}, {"case", 100}};
const std::vector<ThermalLink> kPhoneLinks = {{0, 1, 8}, {1, kAmbient, 5.5}};

TEST(ThermalNetwork, OneNodeFollowsTheExponential) {
  ThermalNetwork network({{"box", 100}}, {{0, kAmbient, 5.5}}, 25, 0.1);
  const std::vector<double> power = {2};
  for (int i = 1; i <= 20'000; ++i) {
    network.step(power);
    if (i % 1000 != 0) continue;
    const double exact = 25 + 11 * (1 - std::exp(-i * 0.1 / 550));
    EXPECT_NEAR(network.temperature(0), exact, 0.01) << i * 0.1 << " s";
  }
}

TEST(ThermalNetwork, EndsAtTheSteadyState) {
  ThermalNetwork network(kPhone, kPhoneLinks, 25, 0.1);
  const std::vector<double> power = {3, 0.5};
  const std::vector<double> end = network.steady(power);
  EXPECT_NEAR(end[1], 25 + 3.5 * 5.5, 1e-9);
  EXPECT_NEAR(end[0], end[1] + 3 * 8, 1e-9);
  for (int i = 0; i < 100'000; ++i) network.step(power);
  EXPECT_NEAR(network.temperature(0), end[0], 1e-6);
}

TEST(ThermalNetwork, HeatIsConserved) {
  // Without a way out but a very bad one, what goes in stays in the capacities.
  ThermalNetwork network({{"a", 2}, {"b", 3}, {"c", 5}}, {{0, 1, 4}, {1, 2, 7}, {2, kAmbient, 1e6}}, 20, 0.1);
  const std::vector<double> power = {1, 2, 0.5};
  for (int i = 0; i < 1000; ++i) network.step(power);
  const double stored = 2 * (network.temperature(0) - 20) + 3 * (network.temperature(1) - 20) +
                        5 * (network.temperature(2) - 20);
  EXPECT_NEAR(stored, 3.5 * 100, 0.05);
}

// A phone that works without pause: when its speed first falls below full, and by how much it ends lower.
struct Throttling {
  double after_s = -1;
  double speed = 1;
  double watts = 0;  // mean of the second half hour
};

Throttling throttle(double watts, double ambient_c) {
  DeviceProfile profile;
  profile.nodes = kPhone;
  profile.links = kPhoneLinks;
  UnitProfile unit;
  unit.active_w = watts;
  profile.units = {unit};
  profile.governor.kind = GovernorKind::kStep;
  profile.governor.trips = {{1, 42, 1, 0.02, {0}}, {0, 95, 2, 0.05, {0}}};
  SimulatedDevice device(profile, ambient_c, 1);
  Work work;
  work.compute_ms = 100;
  Throttling out;
  double sum = 0;
  int count = 0;
  for (int second = 0; second < 3600; ++second) {
    device.advance(from_s(second));
    TimeNs now = device.now();
    while (now < from_s(second + 1)) now = device.run(work, now).end;
    if (device.cap(0) < 1 && out.after_s < 0) out.after_s = second;
    if (second >= 1800) {
      out.watts += device.power_w() / 1800;
      sum += device.cap(0);
      ++count;
    }
  }
  out.speed = sum / count;
  return out;
}

// facts_devices section 3: times until the governor acts; assumptions checked there against reviews.
TEST(ThermalNetwork, ThrottlesWhenPhonesDo) {
  EXPECT_EQ(throttle(3, 25).after_s, -1) << "3.1 W are sustainable at 25 degrees C";
  struct Case {
    double watts, ambient_c, after_s, speed;
  };
  for (const Case& c : {Case{4, 25, 831, 0.83},
                        {5, 25, 543, 0.73},
                        {6, 25, 411, 0.70},
                        {8, 25, 98, 0.58},
                        {3, 35, 315, 0.6},
                        {5, 35, 171, 0.41}}) {
    const Throttling got = throttle(c.watts, c.ambient_c);
    EXPECT_NEAR(got.after_s, c.after_s, 0.12 * c.after_s) << c.watts << " W at " << c.ambient_c;
    EXPECT_NEAR(got.speed, c.speed, 0.1) << c.watts << " W at " << c.ambient_c;
  }
}

// In the long run the power is what the case gives off at its limit.
TEST(ThermalNetwork, SustainsWhatTheCaseGivesOff) {
  for (const double watts : {4.0, 5.0, 6.0}) EXPECT_NEAR(throttle(watts, 25).watts, 3.05, 0.15) << watts;
}

}  // namespace
}  // namespace sluice
