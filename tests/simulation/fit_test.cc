// Known devices are recovered from what their sensors say (noise 0.5 degrees C, steps of 1, lag 0 to 3 s,
// power noise 5 %, 5 % of the samples missing).
#include "simulation/fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simulation/device.h"
#include "simulation/profile_reader.h"
#include "simulation/profile_writer.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// One or two dies on a case.
DeviceProfile random_device(Random& random) {
  DeviceProfile out;
  out.name = "random";
  const int dies = random.uniform() < 0.5 ? 1 : 2;
  const std::array<UnitRole, 2> roles = {UnitRole::kNpu, UnitRole::kCpu};
  const std::array<HeatRole, 2> heat = {HeatRole::kNpu, HeatRole::kCpu};
  for (int d = 0; d < dies; ++d) {
    out.nodes.push_back({d == 0 ? "npu_die" : "cpu_die", random.uniform(0.7, 2)});
    out.links.push_back({d, dies, random.uniform(5, 10)});
    UnitProfile unit;
    unit.name = d == 0 ? "npu" : "cpu";
    unit.role = roles[static_cast<std::size_t>(d)];
    unit.node = d;
    unit.active_w = random.uniform(2.5, 5);
    out.units.push_back(unit);
    out.sensors.push_back({heat[static_cast<std::size_t>(d)], d, 0.5, 1, random.uniform(0, 3)});
  }
  out.nodes.push_back({"case", random.uniform(60, 140)});
  out.links.push_back({dies, kAmbient, random.uniform(4, 7)});
  out.sensors.push_back({HeatRole::kSkin, dies, 0.5, 1, random.uniform(0, 3)});
  out.rest_w = random.uniform(0.4, 1);
  out.rest_node = dies;
  out.power_noise = 0.05;
  return out;
}

void lose(Reading& reading, Random& random) {
  if (random.uniform() < 0.05) reading = {std::nullopt, reading.taken, Health::kVanished};
}

// An hour of random work and pauses at a share of the full clock, sampled once a second.
RecordedRun record(const DeviceProfile& profile, Random& random, double speed = 1) {
  SimulatedDevice device(profile, profile.ambient_c, random.next());
  RecordedRun out{"made", {}};
  std::vector<double> duty(profile.units.size());
  for (int s = 1; s <= 3600; ++s) {
    for (std::size_t u = 0; u < duty.size(); ++u) {
      if (s == 1 || random.uniform() < 1 / 40.0)
        duty[u] = random.uniform() < 0.4 ? 0 : random.uniform(0.4, 1);
      Work work;
      work.unit = static_cast<int>(u);
      work.compute_ms = 1000 * duty[u] * speed;
      work.speed = speed;
      if (work.compute_ms > 0) device.run(work, device.now());
    }
    device.advance(from_s(s));
    Readings now = device.readings(from_s(s));
    for (Reading& r : now.temperature_c) {
      if (r.value) lose(r, random);
    }
    lose(now.power_w, random);
    if (random.uniform() >= 0.05) out.samples.push_back(now);
  }
  return out;
}

struct Error {
  double worst = 0;
  std::string what;
  void see(const std::string& name, double fitted, double truth) {
    const double error = std::abs(fitted / truth - 1);
    if (error > worst) {
      worst = error;
      what = name + " " + std::to_string(fitted) + " instead of " + std::to_string(truth);
    }
  }
};

TEST(Fit, RecoversTwentyDevicesWithinTenPercent) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Random random(seed);
    const DeviceProfile truth = random_device(random);
    const auto fitted = fit_device({record(truth, random)}, truth.ambient_c);
    ASSERT_TRUE(fitted.ok()) << "seed " << seed << ": " << fitted.status().message();
    Error error;
    const std::size_t dies = truth.units.size();
    ASSERT_EQ(fitted->units.size(), dies);
    for (std::size_t u = 0; u < dies; ++u) {
      error.see(truth.nodes[u].name + " J/K", fitted->units[u].heat_j_per_k.value,
                truth.nodes[u].heat_j_per_k);
      error.see(truth.nodes[u].name + " K/W", fitted->units[u].k_per_w.value, truth.links[u].k_per_w);
      error.see(truth.units[u].name + " W", fitted->units[u].active_w.value, truth.units[u].active_w);
    }
    error.see("case J/K", fitted->case_j_per_k.value, truth.nodes[dies].heat_j_per_k);
    error.see("case K/W", fitted->case_k_per_w.value, truth.links[dies].k_per_w);
    error.see("idle W", fitted->idle_w.value, truth.rest_w);
    EXPECT_LE(error.worst, 0.10) << "seed " << seed << ": " << error.what << "\n" << describe(*fitted, truth);
  }
}

// What is said of a figure's certainty holds: errors are about as large as their sigma, over many devices,
// also where the ambient is one of the figures.
TEST(Fit, ItsConfidenceIsHonest) {
  double squares = 0, largest = 0;
  int count = 0;
  const auto see = [&](const FittedValue& fitted, double truth) {
    EXPECT_NEAR(fitted.value, truth, 0.10 * truth);
    const double z = (fitted.value - truth) / fitted.sigma;
    squares += z * z;
    largest = std::max(largest, std::abs(z));
    ++count;
  };
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    Random random(seed);
    const DeviceProfile truth = random_device(random);
    const auto fitted = fit_device({record(truth, random)}, std::nullopt);
    ASSERT_TRUE(fitted.ok()) << "seed " << seed << ": " << fitted.status().message();
    const std::size_t dies = truth.units.size();
    for (std::size_t u = 0; u < dies; ++u) {
      see(fitted->units[u].heat_j_per_k, truth.nodes[u].heat_j_per_k);
      see(fitted->units[u].k_per_w, truth.links[u].k_per_w);
    }
    see(fitted->case_j_per_k, truth.nodes[dies].heat_j_per_k);
    see(fitted->case_k_per_w, truth.links[dies].k_per_w);
    see(fitted->ambient_c, truth.ambient_c);
  }
  const double rms = std::sqrt(squares / count);
  EXPECT_LT(rms, 1.5) << "of " << count << " figures";
  EXPECT_GT(rms, 0.5);
  EXPECT_LT(largest, 5);
}

// A performance mode's clock is no property of the device: the power at full clock is found.
TEST(Fit, ASlowPerformanceModeIsToldFromALittlePower) {
  Random random(3);
  DeviceProfile truth = random_device(random);
  for (UnitProfile& unit : truth.units) unit.max_mhz = 1000;
  const auto fitted = fit_device({record(truth, random, 0.8)}, truth.ambient_c);
  ASSERT_TRUE(fitted.ok()) << fitted.status().message();
  for (std::size_t u = 0; u < truth.units.size(); ++u)
    EXPECT_NEAR(fitted->units[u].active_w.value, truth.units[u].active_w, 0.1 * truth.units[u].active_w);
}

TEST(Fit, FindsTheAmbientToo) {
  Random random(77);
  DeviceProfile truth = random_device(random);
  truth.ambient_c = 31;
  const auto fitted = fit_device({record(truth, random), record(truth, random)}, std::nullopt);
  ASSERT_TRUE(fitted.ok()) << fitted.status().message();
  EXPECT_NEAR(fitted->ambient_c.value, 31, 1);
  EXPECT_GT(fitted->ambient_c.sigma, 0);
  EXPECT_NEAR(fitted->case_rms_c, 0.6, 0.3) << "noise and steps, and nothing else";
}

// What a sensor did not say is no residual of 0.
TEST(Fit, MissingSamplesMakeItNoBetter) {
  Random random(77);
  const DeviceProfile truth = random_device(random);
  RecordedRun run = record(truth, random);
  const auto whole = fit_device({run}, truth.ambient_c);
  for (std::size_t k = 0; k < run.samples.size(); ++k) {
    if (k % 5 >= 2) continue;
    for (std::size_t role = 0; role < kHeatRoles; ++role)
      if (role != static_cast<std::size_t>(HeatRole::kSkin)) run.samples[k].temperature_c[role].value.reset();
  }
  const auto fitted = fit_device({run}, truth.ambient_c);
  ASSERT_TRUE(whole.ok() && fitted.ok()) << fitted.status().message();
  for (std::size_t u = 0; u < truth.units.size(); ++u)
    EXPECT_NEAR(fitted->units[u].rms_c, whole->units[u].rms_c, 0.15 * whole->units[u].rms_c);
}

TEST(Fit, TracesAtDifferentAmbientsHaveOneEach) {
  Random random(77);
  DeviceProfile truth = random_device(random);
  truth.ambient_c = 25;
  const RecordedRun cool = record(truth, random);
  truth.ambient_c = 28;
  const RecordedRun warm = record(truth, random);
  const auto fitted = fit_device({cool, warm}, std::nullopt);
  ASSERT_TRUE(fitted.ok()) << fitted.status().message();
  ASSERT_EQ(fitted->ambients.size(), 2u);
  EXPECT_NEAR(fitted->ambients[0].celsius.value, 25, 1);
  EXPECT_NEAR(fitted->ambients[1].celsius.value, 28, 1);
  const double k_per_w = truth.links.back().k_per_w;
  EXPECT_NEAR(fitted->case_k_per_w.value, k_per_w, 0.1 * k_per_w);
  EXPECT_THAT(describe(*fitted, truth), HasSubstr("ambient of made"));
  EXPECT_THAT(fit_device({cool, warm}, 25).status().message(),
              AllOf(HasSubstr("made at several"), HasSubstr("(made)")));
  EXPECT_TRUE(fit_device({cool, cool}, 25).ok());
}

// What a unit draws all the time is within the idle power; it does not count a second time.
TEST(Fit, ASteadyLoadIsCountedOnce) {
  Random random(5);
  DeviceProfile truth = random_device(random);
  RecordedRun run = record(truth, random);
  constexpr double kLoad = 0.06;
  for (Readings& r : run.samples) {
    r.utilisation[static_cast<std::size_t>(UnitRole::kGpu)] = {kLoad, r.at, Health::kGood};
    if (r.power_w.value) *r.power_w.value += 0.2;
  }
  const auto fitted = fit_device({run}, truth.ambient_c);
  ASSERT_TRUE(fitted.ok()) << fitted.status().message();
  const DeviceProfile base = *load_profile("generic");
  DeviceProfile profile = to_profile(*fitted, base, "board");
  const double gpu_w = profile.unit(UnitRole::kGpu)->active_w;
  EXPECT_NEAR(profile.rest_w + kLoad * gpu_w, fitted->idle_w.value, 1e-9);
  EXPECT_EQ(gpu_w, base.unit(UnitRole::kGpu)->active_w - base.unit(UnitRole::kGpu)->idle_w);
  EXPECT_THAT(describe(*fitted, base), HasSubstr("of it units not fitted"));

  FittedDevice hungry = *fitted;  // the base says that it draws more than there was
  hungry.steady[0].load = 0.9;
  profile = to_profile(hungry, base, "board");
  EXPECT_EQ(profile.rest_w, 0);
  EXPECT_NEAR(0.9 * profile.unit(UnitRole::kGpu)->active_w, hungry.idle_w.value, 1e-9);
  EXPECT_EQ(profile.unit(UnitRole::kGpu)->origin.label, Label::kFitted);
}

TEST(Fit, TheProfileComesBackFromItsText) {
  Random random(5);
  const DeviceProfile truth = random_device(random);
  const auto fitted = fit_device({record(truth, random)}, truth.ambient_c);
  ASSERT_TRUE(fitted.ok());
  const DeviceProfile profile = to_profile(*fitted, *load_profile("generic"), "board");
  const std::string text = profile_yaml(profile);
  const ParsedProfile back = parse_profile(text, "board.yaml");
  ASSERT_TRUE(back.profile) << back.status().message() << "\n" << text;
  EXPECT_EQ(profile_yaml(*back.profile), text);
  EXPECT_EQ(back.profile->thermal_origin.label, Label::kFitted);
  EXPECT_NEAR(back.profile->units[0].active_w, truth.units[0].active_w, 0.1 * truth.units[0].active_w);
}

TEST(Fit, ShippedProfilesComeBackFromTheirText) {
  for (const std::string& name : shipped_profiles()) {
    const std::string text = profile_yaml(*load_profile(name));
    const ParsedProfile back = parse_profile(text, name);
    ASSERT_TRUE(back.profile) << back.status().message();
    EXPECT_EQ(profile_yaml(*back.profile), text) << name;
  }
}

TEST(Fit, SaysWhatIsMissing) {
  Random random(9);
  const RecordedRun whole = record(random_device(random), random);
  RecordedRun few{"few", {whole.samples.begin(), whole.samples.begin() + 100}};
  EXPECT_THAT(fit_device({few}, 25).status().message(), HasSubstr("100 samples are too few, 290 are needed"));
  RecordedRun milliseconds = whole, few_minutes{"few", {whole.samples.begin(), whole.samples.begin() + 290}};
  for (Readings& r : milliseconds.samples) r.at /= 1000;
  EXPECT_THAT(fit_device({milliseconds}, 25).status().message(), HasSubstr("'t_s' is in seconds"));
  EXPECT_THAT(fit_device({few_minutes}, 25).status().message(), Not(HasSubstr("are needed")));
  RecordedRun no_power = whole, no_skin = whole, no_load = whole;
  for (Readings& r : no_power.samples) r.power_w = {};
  for (Readings& r : no_skin.samples) r.temperature(HeatRole::kSkin) = {};
  for (Readings& r : no_load.samples) r.utilisation = {};
  EXPECT_THAT(fit_device({no_power}, 25).status().message(), HasSubstr("the power is not known"));
  EXPECT_THAT(fit_device({no_skin}, 25).status().message(), HasSubstr("the skin temperature is not known"));
  RecordedRun other = whole;
  for (Readings& r : other.samples) {
    std::swap(r.utilisation[0], r.utilisation[1]);
    std::swap(r.temperature_c[0], r.temperature_c[1]);
    r.utilisation[2] = {};
  }
  RecordedRun one = whole;
  for (Readings& r : one.samples) r.utilisation[1] = r.utilisation[2] = {};
  EXPECT_THAT(fit_device({one, other, no_load}, 25).status().message(),
              AllOf(HasSubstr("npu in "), HasSubstr("gpu in ")));
  EXPECT_THAT(fit_device({no_load}, 25).status().message(), HasSubstr("no unit has a load that changes"));
}

}  // namespace
}  // namespace sluice
