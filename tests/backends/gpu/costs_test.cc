// What a run and a session cost on the host, counted over a libOpenCL that computes nothing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "backends/gpu/device/context.h"
#include "backends/gpu/plan/executable.h"
#include "tests/backends/gpu/fake_opencl.h"
#include "tests/inference/selector/allocations.h"

namespace sluice::gpu {
namespace {

const Api& fake() {
  static const Result<Api> api = [] {
    ::setenv("SLUICE_ARTIFACTS", "off", 1);
    return load_api({SLUICE_FAKE_OPENCL_LIBRARY});
  }();
  return *api;
}

// A chain of `launches` kernels from one input to one output.
Recipe chain(int launches) {
  Recipe recipe;
  for (int i = 0; i <= launches; ++i) recipe.slots.push_back({.bytes = 4096, .constant = {}});
  for (int i = 0; i < launches; ++i)
    recipe.launches.push_back({"chain", "chain", {Reads{i}, Writes{i + 1}, 4, 1.5F}, {16, 1, 1}});
  recipe.inputs = {{.slot = 0, .bytes = 4096, .dims = {1024}}};
  recipe.outputs = {{.slot = launches, .bytes = 4096, .dims = {1024}}};
  return recipe;
}

TEST(GpuCosts, ARunAllocatesNothing) {
  const DeviceInfo device = list_devices(fake()).value().front();
  const auto context = Context::create(fake(), device).value();
  const auto executable = Executable::create(context, chain(45), false).value();
  std::vector<std::byte> in(4096), out(4096);
  const void* input = in.data();
  void* output = out.data();
  ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  const long before = testing::allocations();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(testing::allocations() - before, 0);
}

TEST(GpuCosts, ARunIsItsLaunchesAWriteAndARead) {
  const DeviceInfo device = list_devices(fake()).value().front();
  const auto context = Context::create(fake(), device).value();
  const auto executable = Executable::create(context, chain(45), false).value();
  std::vector<std::byte> in(4096), out(4096);
  const void* input = in.data();
  void* output = out.data();
  fake_opencl_heal();
  ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(fake_opencl_calls("clEnqueueNDRangeKernel"), 45);
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 1);
  EXPECT_EQ(fake_opencl_calls("clEnqueueReadBuffer"), 1);
  EXPECT_EQ(fake_opencl_calls("clFinish"), 0) << "the last read waits";
  EXPECT_EQ(fake_opencl_calls("clSetKernelArg"), 0) << "arguments are set once";
}

TEST(GpuCosts, FiftySessionsLeaveNothingOnTheDevice) {
  const DeviceInfo device = list_devices(fake()).value().front();
  for (int i = 0; i < 50; ++i) {
    {
      const auto context = Context::shared(fake(), device).value();
      const auto executable = Executable::create(context, chain(20), false).value();
      EXPECT_GT(fake_opencl_live(), 20);
    }
    ASSERT_EQ(fake_opencl_live(), 0) << "session " << i;
  }
}

}  // namespace
}  // namespace sluice::gpu
