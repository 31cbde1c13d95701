// Compiled programs kept between runs, on the real driver: a whole entry is loaded, a damaged one is built
// again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/counters.h"
#include "backends/gpu/plan/executable.h"

namespace sluice::gpu {
namespace {

namespace fs = std::filesystem;

class GpuProgramCache : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "sluice_gpu_cache_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    ::setenv("SLUICE_ARTIFACTS", folder_.c_str(), 1);
    ::setenv("POCL_CACHE_DIR", SLUICE_TEST_POCL_CACHE, 0);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }

  struct Outcome {
    std::uint64_t built, loaded;
    std::vector<float> output;
  };
  // A new context, as a new process has: bytes become floats through the unit `edge`.
  static Outcome run() {
    const std::uint64_t built = counters().programs_built;
    const std::uint64_t loaded = counters().programs_loaded;
    const auto api = the_api();
    const auto context = Context::create(**api, list_devices(**api).value().front()).value();
    Recipe recipe;
    recipe.slots = {{.bytes = 64, .constant = {}}, {.bytes = 64, .constant = {}}};
    recipe.launches = {{"edge", "enter", {Reads{0}, Writes{1}, 16, 2}, {16, 1, 1}}};
    recipe.inputs = {{.slot = 0, .bytes = 16, .dims = {16}}};
    recipe.outputs = {{.slot = 1, .bytes = 64, .dims = {16}}};
    auto executable = Executable::create(context, std::move(recipe), false).value();
    std::vector<unsigned char> in(16);
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = static_cast<unsigned char>(i * 3);
    Outcome out{0, 0, std::vector<float>(16)};
    const void* input = in.data();
    void* output = out.output.data();
    EXPECT_TRUE(executable->run({&input, 1}, {&output, 1}).ok());
    context->keep_programs();
    out.built = counters().programs_built - built;
    out.loaded = counters().programs_loaded - loaded;
    return out;
  }
  static fs::path entry() {
    for (const auto& file : fs::directory_iterator(folder_))
      if (file.path().extension() == ".artifact") return file.path();
    return {};
  }
  static std::string read(const fs::path& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }
  // In place: the cache's rules about owner and mode stay satisfied.
  static void write(const fs::path& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
  }

  static inline std::string folder_;
};

TEST_F(GpuProgramCache, OneProcessBuildsTheNextLoads) {
  ASSERT_TRUE(the_api().ok()) << the_api().status().message();
  const Outcome first = run();
  EXPECT_EQ(first.built, 1u);
  ASSERT_FALSE(entry().empty());
  const Outcome second = run();
  EXPECT_EQ(second.built, 0u);
  EXPECT_EQ(second.loaded, 1u);
  EXPECT_EQ(second.output, first.output);
}

TEST_F(GpuProgramCache, TwoHundredDamagedEntriesAreBuiltAgain) {
  ASSERT_TRUE(the_api().ok()) << the_api().status().message();
  const std::vector<float> wanted = run().output;
  const fs::path path = entry();
  const std::string intact = read(path);
  std::mt19937 random(11);
  ASSERT_EQ(run().built, 0u) << "the intact one is loaded";
  for (int i = 0; i < 200; ++i) {
    SCOPED_TRACE("damage " + std::to_string(i) + " of seed 11");
    std::string damaged = intact;
    if (i % 2 == 0)
      damaged.resize(random() % intact.size());
    else
      damaged[random() % intact.size()] ^= static_cast<char>(1u << (random() % 8));
    write(path, damaged);
    const Outcome rebuilt = run();
    EXPECT_EQ(rebuilt.built, 1u);
    EXPECT_EQ(rebuilt.loaded, 0u);
    EXPECT_EQ(rebuilt.output, wanted);
    const Outcome again = run();
    ASSERT_EQ(again.built, 0u) << "what was built is kept";
    ASSERT_EQ(again.loaded, 1u);
    ASSERT_EQ(again.output, wanted);
  }
}

}  // namespace
}  // namespace sluice::gpu
