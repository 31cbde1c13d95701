// Whole sessions, one after the other, over a libOpenCL that computes nothing: what grows there is ours or
// ONNX Runtime's, what grows on a real driver alone (sessions_test.cc) is the driver's.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <limits>

#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/gpu/zoo.h"

namespace sluice::testing {
namespace {

// Bytes of the process's heap that somebody holds.
std::size_t held() {
  const struct mallinfo2 info = ::mallinfo2();
  return info.uordblks + info.hblkhd;
}

TEST(GpuLeaks, FiftySessionsHoldNothingWhenTheyAreGone) {
  ::setenv("SLUICE_OPENCL", SLUICE_FAKE_OPENCL_LIBRARY, 1);
  ::setenv("SLUICE_FAKE_OPENCL_EXTENSIONS", "cl_khr_fp16",
           1);  // the process's device is precision_test.cc's too
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const ZooModel model = zoo()[0];
  const std::string bytes = zoo_bytes(model);
  const auto once = [&] {
    auto session = Loaded::load(bytes, Where::kGpu);
    ASSERT_TRUE(session.ok()) << session.status().message();
    ASSERT_TRUE(session->run({zoo_input(model, session->input_name(), 1)}).ok());
    ASSERT_GT(fake_opencl_live(), 100);
  };
  // What leaks grows in every round. What is made once, and what the allocator keeps for its threads, grows
  // until each of them has its own, so one round in four without it is enough.
  long least = std::numeric_limits<long>::max();
  for (int round = 0; round < 4; ++round) {
    const std::size_t before = held();
    for (int i = 0; i < 50; ++i) once();
    const auto grown = static_cast<long>(held()) - static_cast<long>(before);
    std::cout << "50 sessions: " << grown << " bytes more\n";
    least = std::min(least, grown);
  }
  EXPECT_EQ(fake_opencl_live(), 0) << "every OpenCL object was released";
  EXPECT_LT(least, 50 * 256) << "a kernel's record alone is larger";
}

}  // namespace
}  // namespace sluice::testing
