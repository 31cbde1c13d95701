// What tuning measures is kept in the artefact cache, by model and device, and later sessions use it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "tests/backends/gpu/edge_model.h"

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

// Of this process, whose first session opens it.
class GpuTuned : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = (fs::temp_directory_path() / "sluice_gpu_tuning_XXXXXX").string();
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    ::setenv("SLUICE_ARTIFACTS", folder_.c_str(), 1);
  }
  static void TearDownTestSuite() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  static inline std::string folder_;
};

EdgeModel point_convolution(std::int64_t size) {
  return EdgeModel({.name = "point",
                    .op = "Conv",
                    .opset = 13,
                    .dims = {1, 5, size, size},
                    .inputs = {Random{{6, 5, 1, 1}}},
                    .attributes = {}});
}

struct Opened {
  std::uint64_t tuned, built;
  std::vector<HostTensor> outputs;
};

Opened open(const EdgeModel& made, const Loaded::Options& options) {
  const gpu::PluginCounts before = plugin_counts();
  auto model = Loaded::load(made.bytes(), Where::kGpu, options);
  EXPECT_TRUE(model.ok()) << model.status().message();
  if (!model.ok()) return {};
  Opened out{0, 0, model->run(made.inputs).value()};
  out.tuned = plugin_counts().tuned - before.tuned;
  out.built = plugin_counts().programs_built - before.programs_built;
  return out;
}

TEST_F(GpuTuned, WhatWasMeasuredIsKeptAndUsed) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const EdgeModel made = point_convolution(8);
  EXPECT_EQ(open(made, {}).tuned, 0u) << "nobody measured yet";
  const Opened measuring = open(made, {{"tune", "1"}});
  EXPECT_EQ(measuring.tuned, 1u) << "it runs what it found";
  const Opened later = open(made, {});
  EXPECT_EQ(later.tuned, 1u);
  EXPECT_EQ(later.built, 0u) << "a warm session compiles nothing";
  EXPECT_EQ(difference(later.outputs.front(), measuring.outputs.front(), 0), "");
  auto cpu = Loaded::load(made.bytes(), Where::kCpu);
  EXPECT_EQ(difference(later.outputs.front(), cpu->run(made.inputs)->front(), 1e-4), "");

  EXPECT_EQ(open(point_convolution(9), {}).tuned, 0u) << "of another shape";
  EXPECT_EQ(open(made, {{"kernels", "float4"}}).tuned, 0u) << "a set that was asked for is taken as it is";
}

}  // namespace
}  // namespace sluice::testing
