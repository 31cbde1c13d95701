// What `precision: auto` is on a GPU that computes in float16: over a libOpenCL that computes nothing.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/backends/gpu/zoo.h"

namespace sluice::testing {
namespace {

TEST(GpuPrecision, AutoIsFloat16WhereTheDeviceHasIt) {
  ::setenv("SLUICE_OPENCL", SLUICE_FAKE_OPENCL_LIBRARY, 1);
  ::setenv("SLUICE_FAKE_OPENCL_EXTENSIONS", "cl_khr_fp16", 1);
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const std::string model = zoo_bytes(zoo()[0]);
  const auto activations = [&](const char* precision) {
    const auto session = Loaded::load(model, Where::kGpu, {{"precision", precision}});
    EXPECT_TRUE(session.ok()) << session.status().message();
    return plugin_counts().arena;
  };
  const std::uint64_t single = activations("fp32"), half = activations("fp16");
  EXPECT_LT(half * 4, single * 3);
  EXPECT_EQ(activations("auto"), half);
}

}  // namespace
}  // namespace sluice::testing
