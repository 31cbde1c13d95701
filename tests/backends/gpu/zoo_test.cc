// Every model of the zoo on the gpu provider with the CPU provider's numbers, all operators there.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include "tests/backends/gpu/zoo.h"

namespace sluice::testing {
namespace {

class GpuZoo : public ::testing::TestWithParam<ZooModel> {};

// max |a - b| / max |b|
double relative_difference(const HostTensor& a, const HostTensor& b) {
  const std::vector<double> got = a.numbers(), wanted = b.numbers();
  double most = 0, largest = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    most = std::max(most, std::fabs(got[i] - wanted[i]));
    largest = std::max(largest, std::fabs(wanted[i]));
  }
  return most / largest;
}

void compare(const ZooModel& wanted, const Loaded::Options& options, double relative) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const std::string model = zoo_bytes(wanted);
  ASSERT_FALSE(model.empty()) << wanted.path << " is missing: run tools/dev setup";
  auto cpu = Loaded::load(model, Where::kCpu);
  auto gpu = Loaded::load(model, Where::kGpu, options);
  ASSERT_TRUE(cpu.ok()) << cpu.status().message();
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  const std::vector inputs{zoo_input(wanted, gpu->input_name(), 5)};
  const auto expected = cpu->run(inputs);
  const auto got = gpu->run(inputs);
  ASSERT_TRUE(expected.ok()) << expected.status().message();
  ASSERT_TRUE(got.ok()) << got.status().message();
  for (std::size_t i = 0; i < got->size(); ++i) {
    std::cout << (*got)[i].name << ": " << relative_difference((*got)[i], (*expected)[i]) << '\n';
    EXPECT_EQ(difference((*got)[i], (*expected)[i], relative), "") << (*got)[i].name;
  }
}

TEST_P(GpuZoo, HasTheCpusNumbers) { compare(GetParam(), {}, 1e-4); }
TEST_P(GpuZoo, HasTheCpusNumbersWithTheFloat4Set) { compare(GetParam(), {{"kernels", "float4"}}, 1e-4); }

TEST_P(GpuZoo, Float16StorageIsWithinItsTolerance) { compare(GetParam(), {{"precision", "fp16"}}, 1e-2); }

INSTANTIATE_TEST_SUITE_P(Models, GpuZoo, ::testing::ValuesIn(zoo()),
                         [](const auto& model) { return model.param.name; });

}  // namespace
}  // namespace sluice::testing
