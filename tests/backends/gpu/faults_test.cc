// Every OpenCL call that can fail, failing in turn: the right Status, nothing leaked, nothing under way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/errors.h"
#include "backends/gpu/plan/executable.h"
#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/gpu/fake_run.h"

namespace sluice::gpu {
namespace {

using ::testing::HasSubstr;

// From finding the device to the end of a run.
Status whole_way(bool profiling) {
  SLUICE_ASSIGN(const auto devices, list_devices(fake()));
  SLUICE_ASSIGN(const DeviceInfo device, choose_device(devices, "auto"));
  SLUICE_ASSIGN(auto context, Context::create(fake(), device));
  SLUICE_ASSIGN(auto executable, Executable::create(context, small_recipe(), profiling));
  std::vector<std::byte> in(64), out(64);
  const void* input = in.data();
  void* output = out.data();
  SLUICE_RETURN_IF_ERROR(executable->run({&input, 1}, {&output, 1}));
  context->keep_programs();
  return {};
}

class GpuFault : public ::testing::TestWithParam<int> {};

TEST_P(GpuFault, AtEachCallIsAStatusAndLeavesNothingBehind) {
  const cl_int error = GetParam();
  // Releases are not among them: nobody can do anything about those.
  const std::vector<std::string> functions = {
      "clGetPlatformIDs",     "clGetDeviceIDs",     "clGetDeviceInfo",   "clCreateContext",
      "clCreateCommandQueue", "clCreateBuffer",     "clCreateSubBuffer", "clCreateProgramWithSource",
      "clBuildProgram",       "clCreateKernel",     "clSetKernelArg",    "clEnqueueNDRangeKernel",
      "clEnqueueWriteBuffer", "clEnqueueReadBuffer"};
  for (const std::string& function : functions) {
    fake_opencl_heal();
    ASSERT_TRUE(whole_way(false).ok());
    const int calls = fake_opencl_calls(function.c_str());
    ASSERT_GT(calls, 0) << function;
    for (int nth = 1; nth <= calls; ++nth) {
      SCOPED_TRACE(function + " call " + std::to_string(nth));
      fake_opencl_fail(function.c_str(), nth, error, true);
      const Status status = whole_way(false);
      EXPECT_EQ(fake_opencl_live(), 0);
      const bool optional = function == "clGetDeviceInfo";  // a text that is missing is empty
      if (optional && status.ok()) continue;
      ASSERT_FALSE(status.ok());
      const bool looking = function.starts_with("clGet");
      if (looking) {
        EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
        continue;
      }
      EXPECT_THAT(status.message(), HasSubstr(function));
      EXPECT_THAT(status.message(), HasSubstr(name_of_error(error)));
      const char* kind = means_device_lost(error)     ? "the OpenCL device is lost"
                         : means_out_of_memory(error) ? "out of memory or resources"
                                                      : "OpenCL: ";
      EXPECT_THAT(status.message(), HasSubstr(kind));
      const bool other_backend_may =
          means_device_lost(error) || means_out_of_memory(error) || function == "clBuildProgram";
      EXPECT_EQ(status.code(), other_backend_may ? Code::kUnavailable : Code::kFailed) << status.message();
    }
  }
  fake_opencl_heal();
}

INSTANTIATE_TEST_SUITE_P(Errors, GpuFault,
                         ::testing::Values(CL_OUT_OF_RESOURCES, CL_OUT_OF_HOST_MEMORY,
                                           CL_MEM_OBJECT_ALLOCATION_FAILURE, CL_DEVICE_NOT_AVAILABLE,
                                           CL_INVALID_COMMAND_QUEUE, CL_INVALID_VALUE, -9999),
                         [](const auto& error) { return "Minus" + std::to_string(-error.param); });

TEST(GpuFaults, ABuildFailureCarriesTheCompilersLog) {
  fake_opencl_fail("clBuildProgram", 1, CL_BUILD_PROGRAM_FAILURE, true);
  const Status status = whole_way(false);
  fake_opencl_heal();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(),
              HasSubstr("clBuildProgram of 'chain' on 'Fake device' failed: CL_BUILD_PROGRAM_FAILURE "
                        "(-11); the compiler says: conv.cl:7: nothing is right here"));
}

TEST(GpuFaults, AFailedRunWaitsForWhatIsUnderWay) {
  fake_opencl_fail("clEnqueueReadBuffer", 1, CL_INVALID_VALUE, true);
  EXPECT_FALSE(whole_way(false).ok());
  EXPECT_EQ(fake_opencl_calls("clFinish"), 1);
  fake_opencl_heal();
}

TEST(GpuFaults, NothingTouchesALostDevice) {
  fake_opencl_heal();
  const auto device = list_devices(fake()).value().front();
  const auto context = Context::shared(fake(), device).value();
  auto executable = Executable::create(context, small_recipe(), false).value();
  std::vector<std::byte> memory(64);
  const void* input = memory.data();
  void* output = memory.data();
  fake_opencl_fail("clEnqueueNDRangeKernel", 1, CL_DEVICE_NOT_AVAILABLE, true);
  EXPECT_FALSE(executable->run({&input, 1}, {&output, 1}).ok());
  EXPECT_TRUE(context->lost());
  fake_opencl_heal();
  EXPECT_THAT(executable->run({&input, 1}, {&output, 1}).message(), HasSubstr("the OpenCL device is lost"));
  context->keep_programs();
#define SLUICE_CALLS(name) EXPECT_EQ(fake_opencl_calls(#name), 0) << "old objects are left alone";
  SLUICE_OPENCL_FUNCTIONS(SLUICE_CALLS)
#undef SLUICE_CALLS
  EXPECT_NE(Context::shared(fake(), device).value(), context) << "a lost context is not given out again";
}

TEST(GpuFaults, ProfilingToo) {
  for (const char* function : {"clFinish", "clGetEventProfilingInfo"}) {
    fake_opencl_fail(function, 1, CL_INVALID_VALUE, true);
    EXPECT_THAT(whole_way(true).message(), HasSubstr(function));
    EXPECT_EQ(fake_opencl_live(), 0);
  }
  fake_opencl_heal();
}

TEST(GpuHints, GoToDriversThatHaveTheExtensionOnly) {
  constexpr long kPerformance = 0x40C2, kPriority = 0x40C9;
  fake_opencl_heal();
  DeviceInfo device = list_devices(fake()).value().front();
  const Hints hints{.performance = Hint::kHigh, .priority = Hint::kLow};
  ASSERT_TRUE(Context::create(fake(), device, hints).ok());
  EXPECT_EQ(fake_opencl_context_property(kPerformance), 0);
  EXPECT_EQ(fake_opencl_context_property(kPriority), 0);
  device.extensions += " cl_qcom_perf_hint cl_qcom_priority_hint";
  ASSERT_TRUE(Context::create(fake(), device, hints).ok());
  EXPECT_EQ(fake_opencl_context_property(kPerformance), 0x40C3) << "CL_PERF_HINT_HIGH_QCOM";
  EXPECT_EQ(fake_opencl_context_property(kPriority), 0x40CC) << "CL_PRIORITY_HINT_LOW_QCOM";
  ASSERT_TRUE(Context::create(fake(), device, {}).ok());
  EXPECT_EQ(fake_opencl_context_property(kPerformance), 0) << "nobody asked";
  const auto usual = Context::shared(fake(), device).value();
  EXPECT_EQ(Context::shared(fake(), device).value(), usual);
  EXPECT_NE(Context::shared(fake(), device, hints).value(), usual);
}

TEST(GpuTuning, SizesThatADeviceRefusesAreNotTaken) {
  fake_opencl_heal();
  const auto context = Context::create(fake(), list_devices(fake()).value().front()).value();
  const auto executable = Executable::create(context, small_recipe(), true).value();
  double us = -1;
  // The first size's five runs go well; all others fail.
  fake_opencl_fail("clEnqueueNDRangeKernel", 6, CL_INVALID_WORK_GROUP_SIZE, true);
  const auto groups = executable->tune(us);
  fake_opencl_heal();
  ASSERT_TRUE(groups.ok()) << groups.status().message();
  EXPECT_THAT(*groups, ::testing::ElementsAre(std::array<std::size_t, 2>{64, 1}));
  EXPECT_EQ(us, 0) << "the fake's clock stands";
}

TEST(GpuTuning, ALaunchThatRunsInNoSizeIsNoResult) {
  fake_opencl_heal();
  const auto context = Context::create(fake(), list_devices(fake()).value().front()).value();
  const auto executable = Executable::create(context, small_recipe(), true).value();
  double us = -1;
  fake_opencl_fail("clEnqueueNDRangeKernel", 1, CL_OUT_OF_RESOURCES, true);
  const auto groups = executable->tune(us);
  fake_opencl_heal();
  EXPECT_EQ(groups.status().code(), Code::kUnavailable);
  EXPECT_THAT(groups.status().message(), HasSubstr("no size of its groups runs: "));
  EXPECT_THAT(groups.status().message(), HasSubstr("out of memory or resources"));
}

TEST(GpuDevices, AreChosenByName) {
  fake_opencl_heal();
  std::vector<DeviceInfo> devices(2);
  devices[0].name = "Adreno(TM) 643";
  devices[0].platform_name = "QUALCOMM Snapdragon(TM)";
  devices[1].name = "cpu-znver3";
  devices[1].platform_name = "Portable Computing Language";
  EXPECT_EQ(choose_device(devices, "auto")->name, "Adreno(TM) 643");
  EXPECT_EQ(choose_device(devices, "portable")->name, "cpu-znver3");
  EXPECT_EQ(choose_device(devices, "adreno")->name, "Adreno(TM) 643");
  EXPECT_THAT(choose_device(devices, "a").status().message(), HasSubstr("names more than one OpenCL device"));
  EXPECT_THAT(choose_device(devices, "mali").status().message(),
              ::testing::StrEq("no OpenCL device is called 'mali'; there are: 'Adreno(TM) 643' of 'QUALCOMM "
                               "Snapdragon(TM)', 'cpu-znver3' of 'Portable Computing Language'"));
  const DeviceInfo device = list_devices(fake()).value().front();
  EXPECT_TRUE(device.has_extension("cl_khr_fake"));
  EXPECT_FALSE(device.has_extension("cl_khr_fp16")) << "a longer name is another extension";
}

TEST(GpuDevices, HoldAsManySumsAsTheirRegistersAllow) {
  DeviceInfo device;
  device.name = "Adreno (TM) 740";
  device.vendor = "QUALCOMM";
  EXPECT_EQ(device.widest_tile(), 16);
  device.type = CL_DEVICE_TYPE_CPU;
  device.register_floats = 8;
  EXPECT_EQ(device.widest_tile(), 16);
  device.register_floats = 16;
  EXPECT_EQ(device.widest_tile(), 32);
  device.type = CL_DEVICE_TYPE_GPU;
  EXPECT_EQ(device.widest_tile(), 16) << "a GPU's work item has registers of one float";
  device.vendor = "ARM";
  EXPECT_EQ(device.widest_tile(), 8);
  device.vendor = "a vendor of boards";
  device.name = "Mali-G78 r0p1";
  EXPECT_EQ(device.widest_tile(), 8);
}

TEST(GpuDevices, ThatCannotBeAskedAreLeftOut) {
  ::setenv("SLUICE_FAKE_OPENCL_DEVICES", "First:cpu-a,B;Second:C;Empty:", 1);
  const auto names = [] {
    std::vector<std::string> out;
    const std::vector<DeviceInfo> devices = list_devices(fake()).value();
    out.reserve(devices.size());
    for (const DeviceInfo& device : devices) out.push_back(device.name + " of " + device.platform_name);
    return out;
  };
  fake_opencl_heal();
  EXPECT_THAT(names(), ::testing::ElementsAre("B of First", "C of Second", "cpu-a of First"))
      << "GPUs first, each in its platform's order";
  fake_opencl_fail("clGetDeviceIDs", 1, CL_OUT_OF_HOST_MEMORY, false);
  EXPECT_THAT(names(), ::testing::ElementsAre("C of Second"));
  fake_opencl_heal();
  ::unsetenv("SLUICE_FAKE_OPENCL_DEVICES");
}

TEST(GpuLibrary, WhatIsMissingIsNamed) {
  EXPECT_THAT(load_api({"libm.so.6"}).status().message(), HasSubstr("libm.so.6: is not OpenCL 1.2 or newer"));
  EXPECT_THAT(load_api({"no/such.so"}).status().message(),
              HasSubstr("or set SLUICE_OPENCL to its libOpenCL.so"));
}

}  // namespace
}  // namespace sluice::gpu
