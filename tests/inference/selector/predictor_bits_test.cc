// The predictor gives the same bits whatever the compiler makes of it: this file is linked with
// thermal_predictor.cc at every level of optimisation (CMakeLists.txt).
#include <gtest/gtest.h>

#include <bit>
#include <cstdint>

#include "inference/selector/thermal_predictor.h"

namespace sluice {
namespace {

// Little-endian order does not matter: values are hashed, not their bytes (FNV-1a by 64 bits).
void add(double value, std::uint64_t& hash) {
  hash = (hash ^ std::bit_cast<std::uint64_t>(value)) * 1099511628211U;
}

// A die that cools under load for a minute and warms again: gains are raised to their least ones, and the
// model that has predicted best changes.
std::uint64_t bits() {
  ThermalPredictor heat;
  std::array<bool, kHeatVariables> wanted{};
  wanted[0] = wanted[4] = true;
  std::uint64_t hash = 14695981039346656037U, noise = 1;
  double celsius = 60;
  for (int t = 0; t < 600; ++t) {
    noise = noise * 6364136223846793005U + 1442695040888963407U;
    celsius += (t % 120 < 60 ? -0.25 : 0.25) + (static_cast<double>(noise >> 40) * 0x1p-24 - 0.5);
    Readings readings;
    readings.temperature(HeatRole::kNpu).value = celsius;
    const UnitRole unit = t / 90 % 2 == 0 ? UnitRole::kNpu : UnitRole::kGpu;
    heat.observe(1, {unit, 1.0 + t / 45 % 4}, readings);
    for (const double value : heat.now()) add(value, hash);
    ThermalPredictor::Path path = heat.begin(wanted);
    path.advance(20, {unit, 3});
    add(path.value(HeatVariable::kNpu), hash);
    add(path.deviation(HeatVariable::kNpu), hash);
  }
  return hash;
}

TEST(ThermalPredictorBits, AreTheSameAtEveryOptimisation) { EXPECT_EQ(bits(), 16290766529097665373U); }

}  // namespace
}  // namespace sluice
