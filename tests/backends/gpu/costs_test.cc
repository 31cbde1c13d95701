// What a run and a session cost on the host, counted over a libOpenCL that computes nothing.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/counters.h"
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

// Whole cache lines, as pools and ONNX Runtime give them.
struct alignas(64) Lines {
  std::array<std::byte, 4096 + 64> memory{};
};

DeviceInfo sharing_device() {
  DeviceInfo device = list_devices(fake()).value().front();
  device.host_unified = true;
  return device;
}

TEST(GpuCosts, WhereTheHostsMemoryIsTheDevicesNothingIsCopied) {
  const auto executable =
      Executable::create(Context::create(fake(), sharing_device()).value(), chain(45), false).value();
  Lines in, out;
  const void* input = in.memory.data();
  void* output = out.memory.data();
  fake_opencl_heal();
  const std::uint64_t before = counters().bytes_copied;
  const int live = fake_opencl_live();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(counters().bytes_copied, before);
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 0);
  EXPECT_EQ(fake_opencl_calls("clEnqueueReadBuffer"), 0);
  EXPECT_EQ(fake_opencl_calls("clEnqueueMapBuffer"), 3) << "only then the host sees what was written";
  EXPECT_EQ(fake_opencl_calls("clEnqueueUnmapMemObject"), 3);
  EXPECT_EQ(fake_opencl_calls("clFinish"), 3);
  EXPECT_EQ(fake_opencl_live(), live) << "the caller's memory is the caller's after a run";
}

TEST(GpuCosts, MemoryAtAnOddAddressIsCopiedAndTheArgumentsAreOursAgain) {
  const auto executable =
      Executable::create(Context::create(fake(), sharing_device()).value(), chain(2), false).value();
  Lines in, out;
  const void* input = in.memory.data();
  void* output = out.memory.data();
  ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  input = in.memory.data() + 4;
  output = out.memory.data() + 4;
  fake_opencl_heal();
  const std::uint64_t before = counters().bytes_copied;
  ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(counters().bytes_copied - before, 2 * 4096u);
  EXPECT_EQ(fake_opencl_calls("clSetKernelArg"), 2) << "one for the input, one for the output";
  ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(fake_opencl_calls("clSetKernelArg"), 2) << "and not again";
}

TEST(GpuCosts, ADriverThatDoesNotTakeTheHostsMemoryIsAskedOnce) {
  const auto executable =
      Executable::create(Context::create(fake(), sharing_device()).value(), chain(2), false).value();
  Lines in, out;
  const void* input = in.memory.data();
  void* output = out.memory.data();
  fake_opencl_fail("clCreateBuffer", 1, CL_INVALID_HOST_PTR, true);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_EQ(fake_opencl_calls("clCreateBuffer"), 2) << "for the input and for the output";
  EXPECT_EQ(fake_opencl_calls("clEnqueueWriteBuffer"), 3);
  fake_opencl_heal();
}

TEST(GpuCosts, AKernelThatCountsOnLargerGroupsThanTheDeviceHasIsRefused) {
  DeviceInfo device = list_devices(fake()).value().front();
  device.max_work_group = 32;
  Recipe recipe = chain(2);
  recipe.launches[1].arguments.emplace_back(Local{1024});
  recipe.launches[1].group = {16, 2};
  recipe.launches[1].group_fixed = true;
  const auto context = Context::create(fake(), device).value();
  EXPECT_TRUE(Executable::create(context, recipe, false).ok());
  recipe.launches[1].group = {16, 3};
  const auto refused = Executable::create(context, recipe, false);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("groups of 48 work items"), std::string::npos)
      << refused.status().message();
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
