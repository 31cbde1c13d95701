// Many sessions: one after the other, at once, and warm ones that compile nothing. On the real driver, with
// an artefact cache of its own.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <thread>

#include "tests/backends/gpu/random_graph.h"
#include "tests/backends/gpu/zoo.h"

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

class GpuSessions : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "sluice_gpu_sessions_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    ::setenv("SLUICE_ARTIFACTS", folder_.c_str(), 1);
    model_ = zoo()[0];
    bytes_ = zoo_bytes(model_);
    ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  static std::vector<HostTensor> run(Loaded& session, unsigned seed) {
    auto out = session.run({zoo_input(model_, session.input_name(), seed)});
    EXPECT_TRUE(out.ok()) << out.status().message();
    return out.ok() ? std::move(*out) : std::vector<HostTensor>{};
  }
  static void expect_same(const std::vector<HostTensor>& got, const std::vector<HostTensor>& wanted) {
    ASSERT_EQ(got.size(), wanted.size());
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(difference(got[i], wanted[i], 0), "");
  }
  static long resident_kb() {
    long pages = 0, resident = 0;
    std::ifstream("/proc/self/statm") >> pages >> resident;
    return resident * 4;
  }

  static inline std::string folder_, bytes_;
  static inline ZooModel model_;
};

TEST_F(GpuSessions, AWarmOneCompilesNothing) {
  std::vector<HostTensor> first;
  {
    auto cold = Loaded::load(bytes_, Where::kGpu);
    ASSERT_TRUE(cold.ok()) << cold.status().message();
    first = run(*cold, 1);
  }
  const gpu::PluginCounts before = plugin_counts();
  ASSERT_GT(before.programs_built, 0u);
  const auto start = std::chrono::steady_clock::now();
  auto warm = Loaded::load(bytes_, Where::kGpu);
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  ASSERT_TRUE(warm.ok()) << warm.status().message();
  expect_same(run(*warm, 1), first);
  const gpu::PluginCounts after = plugin_counts();
  EXPECT_EQ(after.programs_built, before.programs_built);
  EXPECT_EQ(after.programs_loaded - before.programs_loaded, before.programs_built);
  std::cout << "a warm session took " << took.count() << " ms\n";
}

TEST_F(GpuSessions, SessionsAndThreadsAtOnceDoNotDisturbEachOther) {
  constexpr unsigned kThreads = 6;
  std::vector<std::vector<HostTensor>> wanted;
  {
    auto alone = Loaded::load(bytes_, Where::kGpu);
    ASSERT_TRUE(alone.ok()) << alone.status().message();
    for (unsigned seed = 0; seed < kThreads; ++seed) wanted.push_back(run(*alone, seed));
  }
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (unsigned seed = 0; seed < kThreads; ++seed)
    threads.emplace_back([seed, &wanted] {
      for (int round = 0; round < 3; ++round) {
        auto mine = Loaded::load(bytes_, Where::kGpu);
        ASSERT_TRUE(mine.ok()) << mine.status().message();
        for (int i = 0; i < 3; ++i) expect_same(run(*mine, seed), wanted[seed]);
      }
    });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(GpuSessions, ATunedOneIsMeasuredOnceAndRight) {
  const auto tunings = [] {
    int count = 0;
    for (const auto& file : fs::directory_iterator(folder_)) {
      std::ostringstream bytes;
      bytes << std::ifstream(file.path(), std::ios::binary).rdbuf();
      count += bytes.str().find("opencl-tuning") != std::string::npos ? 1 : 0;
    }
    return count;
  };
  const RandomModel random = random_model(3, "Conv");
  auto cpu = Loaded::load(random.model, Where::kCpu);
  ASSERT_TRUE(cpu.ok()) << cpu.status().message();
  const auto wanted = cpu->run(random.inputs);
  const int before = tunings();
  for (const char* tune : {"1", "0"}) {
    auto gpu = Loaded::load(random.model, Where::kGpu, {{gpu::kTune, tune}});
    ASSERT_TRUE(gpu.ok()) << gpu.status().message();
    const auto got = gpu->run(random.inputs);
    ASSERT_TRUE(got.ok()) << got.status().message();
    for (std::size_t i = 0; i < got->size(); ++i) EXPECT_EQ(difference((*got)[i], (*wanted)[i], 1e-4), "");
    EXPECT_GT(tunings(), before);
  }
}

TEST_F(GpuSessions, FiftyOneAfterTheOtherTakeNoMoreMemory) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "AddressSanitizer holds what was given back for a while, to find who still uses it";
#endif
  const auto once = [] {
    auto session = Loaded::load(bytes_, Where::kGpu);
    ASSERT_TRUE(session.ok()) << session.status().message();
    run(*session, 1);
  };
  for (int i = 0; i < 10; ++i) once();
  const long before = resident_kb();
  for (int i = 0; i < 50; ++i) once();
  const long grown = resident_kb() - before;
  std::cout << "50 sessions: " << grown << " kB more\n";
  EXPECT_LT(grown, 50 * 200) << "a session's activations alone are 2,500 kB";
}

}  // namespace
}  // namespace sluice::testing
