// Each error of OpenCL's at each call that we make, on every way we take: a Status that says which call and
// what, or none where the answer is optional; no crash, no hang, nothing left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <set>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/errors.h"
#include "backends/gpu/plan/executable.h"
#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/gpu/fake_run.h"

namespace sluice::gpu {
namespace {

using ::testing::HasSubstr;

std::vector<std::string> all_functions() {
  return {
#define SLUICE_OPENCL_NAME(name) #name,
      SLUICE_OPENCL_FUNCTIONS(SLUICE_OPENCL_NAME)
#undef SLUICE_OPENCL_NAME
  };
}

// OpenCL 1.2's own (-1 to -19, -30 to -68), the loader's and a vendor's.
std::vector<cl_int> all_errors() {
  std::vector<cl_int> out;
  for (cl_int error = -1; error >= -19; --error) out.push_back(error);
  for (cl_int error = -30; error >= -68; --error) out.push_back(error);
  out.insert(out.end(), {-1001, -9999});
  return out;
}

// How a model meets a device: copied or in the host's memory, timed or not, with a program that does not
// build.
struct Way {
  const char* name;
  bool unified, profiling, unbuildable;
};
constexpr Way kWays[] = {{"Copied", false, false, false},
                         {"InTheHostsMemory", true, false, false},
                         {"Timed", false, true, false},
                         {"Unbuildable", false, false, true}};

struct alignas(64) Lines {
  std::array<std::byte, 64> memory{};
};

// From finding the device to the end of two runs.
Status whole_way(const Way& way) {
  SLUICE_ASSIGN(const auto devices, list_devices(fake()));
  SLUICE_ASSIGN(DeviceInfo device, choose_device(devices, "auto"));
  device.host_unified = way.unified;
  SLUICE_ASSIGN(auto context, Context::create(fake(), device));
  SLUICE_ASSIGN(auto executable, Executable::create(context, small_recipe(), way.profiling));
  Lines in, out;
  const void* input = in.memory.data();
  void* output = out.memory.data();
  for (int i = 0; i < 2; ++i) SLUICE_RETURN_IF_ERROR(executable->run({&input, 1}, {&output, 1}));
  context->keep_programs();
  return {};
}

void set_faults(const Way& way, const std::string& function, int nth, cl_int error) {
  fake_opencl_fail(function.c_str(), nth, error, true);
  if (way.unbuildable) fake_opencl_fail_too("clBuildProgram", 1, CL_BUILD_PROGRAM_FAILURE, true);
}

// The run goes on without what it was asked for: a text about the device, a binary to keep, the compiler's
// log, an import of memory that can be copied.
bool optional(const std::string& function) {
  return function.starts_with("clRelease") ||
         std::set<std::string>{"clGetDeviceInfo", "clGetPlatformInfo", "clGetProgramInfo", "clCreateBuffer"}
             .contains(function);
}

class GpuEveryFault : public ::testing::TestWithParam<Way> {};

void check_status(const Way& way, const std::string& function, cl_int error, const Status& status) {
  if (status.ok()) {
    EXPECT_TRUE(optional(function));
    return;
  }
  const bool listing = function.starts_with("clGetPlatform") || function.starts_with("clGetDevice");
  if (listing) {
    EXPECT_EQ(status.code(), Code::kUnavailable) << status.message();
    return;
  }
  const bool other = way.unbuildable && status.message().find(function) == std::string::npos;
  if (other) {
    EXPECT_THAT(status.message(), HasSubstr("clBuildProgram of 'chain' on 'Fake device' failed"));
    EXPECT_EQ(status.code(), Code::kUnavailable);
    return;
  }
  EXPECT_THAT(status.message(), HasSubstr(function));
  EXPECT_THAT(status.message(), HasSubstr(name_of_error(error)));
  const bool unavailable =
      means_device_lost(error) || means_out_of_memory(error) || function == "clBuildProgram";
  EXPECT_EQ(status.code(), unavailable ? Code::kUnavailable : Code::kFailed) << status.message();
}

TEST_P(GpuEveryFault, IsAStatusAndLeavesNothingBehind) {
  const Way way = GetParam();
  int faults = 0;
  for (const std::string& function : all_functions()) {
    set_faults(way, "", 0, CL_SUCCESS);
    ASSERT_EQ(whole_way(way).ok(), !way.unbuildable);
    const int calls = fake_opencl_calls(function.c_str());
    for (int nth = 1; nth <= calls; ++nth)
      for (const cl_int error : all_errors()) {
        SCOPED_TRACE(function + " call " + std::to_string(nth) + ": " + name_of_error(error));
        set_faults(way, function, nth, error);
        check_status(way, function, error, whole_way(way));
        ASSERT_EQ(fake_opencl_live(), 0);
        ++faults;
      }
  }
  fake_opencl_heal();
  std::cout << faults << " faults\n";
}

INSTANTIATE_TEST_SUITE_P(Ways, GpuEveryFault, ::testing::ValuesIn(kWays),
                         [](const auto& way) { return std::string(way.param.name); });

// Those that are left are met with a warm cache (cache_faults_test.cc) and with other devices' memory
// (external_memory_test.cc).
TEST(GpuEveryFaultOf, EveryFunctionIsOnOneOfTheWays) {
  std::set<std::string> left;
  for (const std::string& function : all_functions()) left.insert(function);
  for (const Way& way : kWays) {
    set_faults(way, "", 0, CL_SUCCESS);
    EXPECT_EQ(whole_way(way).ok(), !way.unbuildable);
    std::erase_if(left, [](const std::string& function) { return fake_opencl_calls(function.c_str()) > 0; });
  }
  fake_opencl_heal();
  EXPECT_THAT(
      left, ::testing::UnorderedElementsAre("clCreateProgramWithBinary",
                                            "clGetExtensionFunctionAddressForPlatform", "clGetProgramInfo"));
}

}  // namespace
}  // namespace sluice::gpu
