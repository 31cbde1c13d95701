// Options of the backend as they reach the driver: which device, how tensors are stored, Qualcomm's hints.
// Over a libOpenCL that computes nothing.
#include "backends/gpu/gpu_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/gpu/runner.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr long kPerformance = 0x40C2, kPriority = 0x40C9;  // of Qualcomm's cl_ext_qcom.h

class GpuBackendOptions : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("SLUICE_OPENCL", SLUICE_FAKE_OPENCL_LIBRARY, 1);
    ::setenv("SLUICE_FAKE_OPENCL_DEVICES",
             "Blue platform:Blue 100,Blue 1000;Red platform:cpu-red,Red 7;Twin platform:Twin,Twin", 1);
    ::setenv("SLUICE_FAKE_OPENCL_EXTENSIONS", "cl_khr_fp16 cl_qcom_perf_hint cl_qcom_priority_hint", 1);
    ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  }

  static Result<std::unique_ptr<Session>> open(OptionMap options) {
    static const auto backend = make_gpu_backend();
    SLUICE_RETURN_IF_ERROR(backend->available());
    SessionRequest request;
    request.model.name = "face";
    request.model.path = "data/models/face_detection_front_128x128.onnx";
    request.backend = "gpu";
    request.options = std::move(options);
    return backend->open(request);
  }
  // The device that a session of these options is on.
  static std::string device_of(const std::string& wanted) {
    const auto session = open({{"device", OptionValue(wanted)}});
    return session.ok() ? std::string((*session)->accelerator().name) : session.status().message();
  }
};

TEST_F(GpuBackendOptions, ADeviceIsChosenByItsNameOrItsPlatforms) {
  EXPECT_THAT(device_of("auto"), HasSubstr("gpu Blue 100 (Blue platform")) << "GPUs before CPUs";
  EXPECT_THAT(device_of("blue 100"), HasSubstr("gpu Blue 100 (")) << "a whole name is no part of another";
  EXPECT_THAT(device_of("1000"), HasSubstr("gpu Blue 1000 ("));
  EXPECT_THAT(device_of("CPU"), HasSubstr("gpu cpu-red ("));
  EXPECT_THAT(device_of("twin"), HasSubstr("gpu Twin (")) << "called the same: the first";
  EXPECT_THAT(
      device_of("red platform"),
      HasSubstr("'red platform' names more than one OpenCL device: 'Red 7' of 'Red platform', 'cpu-red' "
                "of 'Red platform'; write more of the name"));
  EXPECT_THAT(
      device_of("nope"),
      HasSubstr("no OpenCL device is called 'nope'; there are: 'Blue 100' of 'Blue platform', 'Blue "
                "1000' of 'Blue platform', 'Red 7' of 'Red platform', 'Twin' of 'Twin platform', 'Twin' "
                "of 'Twin platform', 'cpu-red' of 'Red platform'"));
}

TEST_F(GpuBackendOptions, Float16IsForGpusThatHaveIt) {
  const auto options_on = [](const char* device, const char* precision) {
    static_cast<void>(fake_opencl_build_options());  // of earlier sessions
    EXPECT_TRUE(open({{"device", OptionValue(device)}, {"precision", OptionValue(precision)}}).ok());
    return std::string(fake_opencl_build_options());
  };
  EXPECT_THAT(options_on("blue 100", "auto"), HasSubstr("-DSLUICE_HALF"));
  EXPECT_THAT(options_on("blue 100", "fp32"), Not(HasSubstr("-DSLUICE_HALF")));
  EXPECT_THAT(options_on("cpu-red", "auto"), Not(HasSubstr("-DSLUICE_HALF"))) << "a CPU gains nothing";
  EXPECT_THAT(options_on("cpu-red", "fp16"), HasSubstr("-DSLUICE_HALF")) << "asked for";
}

TEST_F(GpuBackendOptions, PerformanceModeAndPriorityAreQualcommsHints) {
  struct Hint {
    const char* word;
    long value;
  };
  for (const Hint& mode :
       {Hint{"auto", 0}, Hint{"burst", 0x40C3}, Hint{"sustained_high_performance", 0x40C3},
        Hint{"high_performance", 0x40C3}, Hint{"balanced", 0x40C4}, Hint{"default", 0x40C4},
        Hint{"low_balanced", 0x40C4}, Hint{"power_saver", 0x40C5}, Hint{"high_power_saver", 0x40C5},
        Hint{"low_power_saver", 0x40C5}, Hint{"extreme_power_saver", 0x40C5}}) {
    SCOPED_TRACE(mode.word);
    ASSERT_TRUE(open({{"performance_mode", OptionValue(mode.word)}}).ok());
    EXPECT_EQ(fake_opencl_context_property(kPerformance), mode.value);
    EXPECT_EQ(fake_opencl_context_property(kPriority), 0);
  }
  for (const Hint& priority : {Hint{"normal", 0}, Hint{"high", 0x40CA}, Hint{"low", 0x40CC}}) {
    SCOPED_TRACE(priority.word);
    ASSERT_TRUE(open({{"context_priority", OptionValue(priority.word)}}).ok());
    EXPECT_EQ(fake_opencl_context_property(kPriority), priority.value);
  }
}

}  // namespace
}  // namespace sluice::testing
