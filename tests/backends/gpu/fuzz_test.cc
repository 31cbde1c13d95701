// Random small models against the CPU provider; nothing may fall back to it. 100 in CI; SLUICE_GPU_MODELS for
// more.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <iostream>

#include "tests/backends/gpu/random_graph.h"

namespace sluice::testing {
namespace {

int wanted_models() {
  const char* text = std::getenv("SLUICE_GPU_MODELS");
  return text ? std::atoi(text) : 100;
}

TEST(GpuRandomModels, GiveTheCpusNumbers) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto names = random_operators();
  std::map<std::string, int> seen;
  const auto models = static_cast<unsigned>(wanted_models());
  std::cout << "seeds 1 to " << models << '\n';
  for (unsigned seed = 1; seed <= models; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomModel random = random_model(seed, names[seed % names.size()]);
    auto cpu = Loaded::load(random.model, Where::kCpu);
    ASSERT_TRUE(cpu.ok()) << cpu.status().message();
    auto gpu = Loaded::load(random.model, Where::kGpu);
    ASSERT_TRUE(gpu.ok()) << gpu.status().message();
    const auto wanted = cpu->run(random.inputs);
    const auto got = gpu->run(random.inputs);
    ASSERT_TRUE(wanted.ok()) << wanted.status().message();
    ASSERT_TRUE(got.ok()) << got.status().message();
    const double tolerance = 2e-5 + 1e-6 * std::sqrt(random.accumulated);
    for (std::size_t i = 0; i < got->size(); ++i)
      EXPECT_EQ(difference((*got)[i], (*wanted)[i], tolerance), "") << (*got)[i].name;
    for (const auto& [name, count] : random.operators) seen[name] += count;
  }
  for (const std::string& name : names) EXPECT_GE(seen[name], models >= 100 ? 3 : 0) << name;
}

// Float16 and float32 tensors side by side: a type that is taken for the other one gives other numbers
// altogether.
TEST(GpuRandomModels, AreNearTheCpusNumbersInFloat16) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto names = random_operators();
  for (unsigned seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RandomModel random = random_model(seed, names[seed % names.size()]);
    auto cpu = Loaded::load(random.model, Where::kCpu);
    ASSERT_TRUE(cpu.ok()) << cpu.status().message();
    auto gpu = Loaded::load(random.model, Where::kGpu, {{"precision", "fp16"}});
    ASSERT_TRUE(gpu.ok()) << gpu.status().message();
    const auto wanted = cpu->run(random.inputs);
    const auto got = gpu->run(random.inputs);
    ASSERT_TRUE(wanted.ok()) << wanted.status().message();
    ASSERT_TRUE(got.ok()) << got.status().message();
    for (std::size_t i = 0; i < got->size(); ++i)
      EXPECT_EQ(difference((*got)[i], (*wanted)[i], 0.02), "") << (*got)[i].name;
  }
}

}  // namespace
}  // namespace sluice::testing
