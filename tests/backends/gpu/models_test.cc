// Whole models on the gpu provider against ONNX Runtime's CPU provider, and what a run costs, counted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

#include "backends/gpu/gpu_backend.h"
#include "tests/backends/gpu/runner.h"

namespace sluice::testing {
namespace {

std::string file_of(const std::string& name) {
  std::ostringstream out;
  out << std::ifstream("data/models/" + name, std::ios::binary).rdbuf();
  return out.str();
}

HostTensor noise(Loaded& model, std::int64_t size, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(size * size * 3));
  for (float& value : values) value = uniform(random);
  return HostTensor::floats(model.input_name(), {1, size, size, 3}, values);
}

struct FaceModel {
  const char* file;
  std::int64_t size;
};

class GpuFaceModel : public ::testing::TestWithParam<FaceModel> {};

void expect_equal(const std::vector<HostTensor>& got, const std::vector<HostTensor>& wanted,
                  double relative) {
  ASSERT_EQ(got.size(), wanted.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_EQ(difference(got[i], wanted[i], relative), "") << got[i].name;
}

TEST_P(GpuFaceModel, EveryOperatorRunsThereWithTheCpusNumbers) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const std::string model = file_of(GetParam().file);
  auto cpu = Loaded::load(model, Where::kCpu);
  auto gpu = Loaded::load(model, Where::kGpu);
  ASSERT_TRUE(cpu.ok()) << cpu.status().message();
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  EXPECT_EQ(gpu->placement().size(), 1u);
  for (const unsigned seed : {1u, 2u}) {
    const auto inputs = std::vector{noise(*gpu, GetParam().size, seed)};
    const auto wanted = cpu->run(inputs);
    const auto got = gpu->run(inputs);
    ASSERT_TRUE(wanted.ok() && got.ok()) << got.status().message();
    expect_equal(*got, *wanted, 1e-4);
  }
}

TEST_P(GpuFaceModel, TheFloat4KernelsOfGpusAreRightToo) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const std::string model = file_of(GetParam().file);
  auto cpu = Loaded::load(model, Where::kCpu);
  auto gpu = Loaded::load(model, Where::kGpu, {{"kernels", "float4"}});
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  const auto inputs = std::vector{noise(*gpu, GetParam().size, 3)};
  const auto got = gpu->run(inputs);
  ASSERT_TRUE(got.ok()) << got.status().message();
  expect_equal(*got, *cpu->run(inputs), 1e-4);
}

TEST_P(GpuFaceModel, Float16StorageIsWithinItsTolerance) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const std::string model = file_of(GetParam().file);
  auto cpu = Loaded::load(model, Where::kCpu);
  auto gpu = Loaded::load(model, Where::kGpu, {{"precision", "fp16"}});
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  const auto inputs = std::vector{noise(*gpu, GetParam().size, 4)};
  const auto got = gpu->run(inputs);
  ASSERT_TRUE(got.ok()) << got.status().message();
  expect_equal(*got, *cpu->run(inputs), 1e-2);
}

INSTANTIATE_TEST_SUITE_P(BlazeFace, GpuFaceModel,
                         ::testing::Values(FaceModel{"face_detection_front_128x128.onnx", 128},
                                           FaceModel{"face_detection_back_256x256.onnx", 256}),
                         [](const auto& model) { return "Size" + std::to_string(model.param.size); });

// Counted, not timed: what fusion and shared memory leave of 93 and 147 operators.
TEST(GpuModels, LaunchesBytesAndMemoryOfARun) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  struct Budget {
    const char* file;
    std::uint64_t kernels, programs, bytes_in;
    double memory;  // of what the activations would need without sharing
  };
  for (const Budget& budget : {Budget{"face_detection_front_128x128.onnx", 28, 7, 128 * 128 * 3 * 4, 0.55},
                               Budget{"face_detection_back_256x256.onnx", 44, 7, 256 * 256 * 3 * 4, 0.25}}) {
    const std::uint64_t programs = plugin_counts().programs_built;
    auto gpu = Loaded::load(file_of(budget.file), Where::kGpu);
    ASSERT_TRUE(gpu.ok()) << gpu.status().message();
    const gpu::PluginCounts counts = plugin_counts();
    EXPECT_LE(counts.programs_built - programs, budget.programs)
        << budget.file << ": loading them is most of what opening a session costs";
    EXPECT_LE(counts.kernels, budget.kernels) << budget.file;
    EXPECT_EQ(counts.bytes_in, budget.bytes_in);
    EXPECT_EQ(counts.bytes_out, 896u * 17 * 4) << "896 anchors: 16 numbers and a score";
    EXPECT_LE(static_cast<double>(counts.arena), budget.memory * static_cast<double>(counts.unshared));
  }
}

// PoCL's device is the host: what fills whole cache lines is not copied, and the numbers stay the same.
TEST(GpuModels, NothingIsCopiedWhereTheDeviceSharesTheHostsMemory) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  auto gpu = Loaded::load(file_of("face_detection_front_128x128.onnx"), Where::kGpu);
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  const HostTensor input = noise(*gpu, 128, 5);
  struct alignas(64) Lines {
    std::array<float, 128 * 128 * 3> values;
  };
  const auto lines = std::make_unique<Lines>();
  std::memcpy(lines->values.data(), input.data.data(), input.data.size());
  HostTensor output = gpu->run({input}).value().front();
  const std::string output_name =
      gpu->session().GetOutputNameAllocated(0, Ort::AllocatorWithDefaultOptions()).get();
  const std::array input_names = {input.name.c_str()}, output_names = {output_name.c_str()};
  const auto value = Ort::Value::CreateTensor<float>(
      Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault), lines->values.data(),
      lines->values.size(), input.dims.data(), input.dims.size());
  const std::uint64_t before = plugin_counts().bytes_copied;
  const auto got =
      gpu->session().Run(Ort::RunOptions{}, input_names.data(), &value, 1, output_names.data(), 1);
  EXPECT_EQ(plugin_counts().bytes_copied, before);
  EXPECT_EQ(std::memcmp(got[0].GetTensorRawData(), output.data.data(), output.data.size()), 0);
}

TEST(GpuModels, ThreadsOfOneSessionDoNotDisturbEachOther) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  auto gpu = Loaded::load(file_of("face_detection_front_128x128.onnx"), Where::kGpu);
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  std::vector<std::vector<HostTensor>> wanted;
  wanted.reserve(3);
  for (unsigned seed = 0; seed < 3; ++seed) wanted.push_back(*gpu->run({noise(*gpu, 128, seed)}));
  std::vector<std::thread> threads;
  threads.reserve(3);
  for (unsigned seed = 0; seed < 3; ++seed)
    threads.emplace_back([&, seed] {
      for (int i = 0; i < 10; ++i) expect_equal(*gpu->run({noise(*gpu, 128, seed)}), wanted[seed], 0);
    });
  for (std::thread& thread : threads) thread.join();
}

// A lane per device: what waits for one does not wait for another.
TEST(GpuModels, SessionsOfADeviceQueueForThatDevice) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto backend = make_gpu_backend();
  ASSERT_TRUE(backend->available().ok());
  SessionRequest request;
  request.model.name = "face";
  request.model.path = "data/models/face_detection_front_128x128.onnx";
  request.backend = "gpu";
  const auto first = backend->open(request), second = backend->open(request);
  ASSERT_TRUE(first.ok() && second.ok()) << first.status().message();
  const std::string lane((*first)->accelerator().name);
  EXPECT_EQ((*second)->accelerator().name, lane);
  ASSERT_TRUE(lane.starts_with("gpu "));
  EXPECT_THAT(backend->version(), ::testing::HasSubstr(lane.substr(4))) << "the device's description";
}

TEST(GpuModels, AWrongOptionIsNamed) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const auto gpu =
      Loaded::load(file_of("face_detection_front_128x128.onnx"), Where::kGpu, {{"precision", "fp8"}});
  EXPECT_THAT(gpu.status().message(),
              ::testing::HasSubstr("option 'precision' is 'fp8', allowed: auto, fp16, fp32"));
}

}  // namespace
}  // namespace sluice::testing
