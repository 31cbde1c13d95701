// The cache of programs over a libOpenCL that computes nothing: what an entry is for, what becomes of it when
// the driver fails, and of folders that are not to be trusted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>

#include "backends/gpu/device/context.h"
#include "backends/gpu/device/counters.h"
#include "backends/gpu/device/errors.h"
#include "tests/backends/gpu/fake_opencl.h"
#include "tests/backends/log_capture.h"

namespace sluice::gpu {
namespace {

namespace fs = std::filesystem;
using sluice::testing::LogCapture;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Api& fake() {
  static const Result<Api> api = load_api({SLUICE_FAKE_OPENCL_LIBRARY});
  return *api;
}

class GpuProgramCacheFaults : public ::testing::Test {
 protected:
  // A process opens its cache once, with the first use.
  static void SetUpTestSuite() {
    std::string name = (fs::temp_directory_path() / "sluice_gpu_faults_XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    ::setenv("SLUICE_ARTIFACTS", folder_.c_str(), 1);
  }
  static void TearDownTestSuite() { fs::remove_all(folder_); }
  void SetUp() override {
    fake_opencl_heal();
    empty();
  }
  static void empty() {
    for (const std::string& name : entries()) fs::remove(fs::path(folder_) / name);
  }

  struct Uses {
    std::uint64_t built, loaded;
    bool operator==(const Uses&) const = default;
  };
  // What a new session of a new process does with the unit `chain`.
  static Status use(Variant variant, Uses& uses, const DeviceInfo& device) {
    const Uses before{counters().programs_built, counters().programs_loaded};
    SLUICE_ASSIGN(const auto context, Context::create(fake(), device));
    const Status status = context->kernel("chain", "chain", variant).status();
    context->keep_programs();
    uses = {counters().programs_built - before.built, counters().programs_loaded - before.loaded};
    return status;
  }
  static Uses use(Variant variant = {}, const DeviceInfo& device = first_device()) {
    Uses uses{};
    const Status status = use(variant, uses, device);
    EXPECT_TRUE(status.ok()) << status.message();
    return uses;
  }
  static DeviceInfo first_device() { return list_devices(fake()).value().front(); }
  static std::set<std::string> entries() {
    std::set<std::string> out;
    for (const auto& file : fs::directory_iterator(folder_)) out.insert(file.path().filename());
    return out;
  }

  static constexpr Uses kBuilt{1, 0}, kLoaded{0, 1};
  static inline std::string folder_;
};

TEST_F(GpuProgramCacheFaults, AnEntryIsForOneSourceSetOfOptionsDeviceAndDriver) {
  EXPECT_EQ(use(), kBuilt);
  EXPECT_EQ(use(), kLoaded);
  EXPECT_EQ(use({.half_in = true}), kBuilt) << "other options";
  EXPECT_EQ(use({.lanes = 16}), kBuilt);
  std::size_t kept = 3;
  EXPECT_EQ(entries().size(), kept);
  for (std::string DeviceInfo::* part : {&DeviceInfo::name, &DeviceInfo::vendor, &DeviceInfo::version,
                                         &DeviceInfo::driver, &DeviceInfo::platform_name}) {
    DeviceInfo other = first_device();
    other.*part += " 2";
    EXPECT_EQ(use({}, other), kBuilt);
    EXPECT_EQ(use({}, other), kLoaded);
    EXPECT_EQ(entries().size(), ++kept);
  }
  EXPECT_EQ(use(), kLoaded) << "the first one is still there";
  const auto context = Context::create(fake(), first_device()).value();
  EXPECT_TRUE(context->kernel("edge", "enter", {}).ok());
  context->keep_programs();
  EXPECT_EQ(entries().size(), ++kept) << "another source";
}

// Each error at each call on the way to a program that is kept: the entry is made again or the Status says
// why not; only a lost device leaves it as it is.
TEST_F(GpuProgramCacheFaults, ABinaryThatTheDriverRefusesIsBuiltAgain) {
  for (const char* function : {"clCreateProgramWithBinary", "clBuildProgram"})
    for (cl_int error = -1; error >= -68; --error) {
      if (means_device_lost(error)) continue;
      SCOPED_TRACE(std::string(function) + ": " + name_of_error(error));
      use();
      ASSERT_EQ(use(), kLoaded);
      LogCapture log;
      fake_opencl_fail(function, 1, error, false);
      EXPECT_EQ(use(), kBuilt);
      fake_opencl_heal();
      EXPECT_THAT(LogCapture::warnings(),
                  ElementsAre(AllOf(HasSubstr("was refused by the driver (" + name_of_error(error)),
                                    HasSubstr("it is made again"))));
      EXPECT_EQ(use(), kLoaded);
      EXPECT_EQ(fake_opencl_live(), 0);
    }
}

TEST_F(GpuProgramCacheFaults, ALostDeviceIsNoReasonToForgetAnEntry) {
  use();
  const auto kept = entries();
  for (const char* function : {"clCreateProgramWithBinary", "clBuildProgram"}) {
    LogCapture log;
    fake_opencl_fail(function, 1, CL_DEVICE_NOT_AVAILABLE, true);
    Uses uses{};
    const Status status = use({}, uses, first_device());
    fake_opencl_heal();
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_THAT(status.message(), HasSubstr("the OpenCL device is lost: loading program 'chain'"));
    EXPECT_THAT(LogCapture::warnings(), IsEmpty());
    EXPECT_EQ(entries(), kept);
    EXPECT_EQ(fake_opencl_live(), 0);
  }
  EXPECT_EQ(use(), kLoaded);
}

TEST_F(GpuProgramCacheFaults, ABinaryThatTheDriverDoesNotGiveIsNotKept) {
  for (const int nth : {1, 2})
    for (cl_int error = -1; error >= -68; --error) {
      fake_opencl_fail("clGetProgramInfo", nth, error, true);
      EXPECT_EQ(use(), kBuilt);
      EXPECT_THAT(entries(), IsEmpty());
    }
  fake_opencl_heal();
  EXPECT_EQ(use(), kBuilt);
  EXPECT_EQ(use(), kLoaded);
}

// Of caches that cannot be used, each in a process of its own.
class GpuProgramCacheRefused : public GpuProgramCacheFaults {
 protected:
  void SetUp() override {
    GpuProgramCacheFaults::SetUp();
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }
  [[noreturn]] static void build_twice(const char* artifacts) {
    ::setenv("SLUICE_ARTIFACTS", artifacts, 1);
    LogCapture log;
    const bool built = use() == kBuilt && use() == kBuilt;
    for (const std::string& warning : LogCapture::warnings()) std::cerr << "warning: " << warning << '\n';
    std::cerr << LogCapture::warnings().size() << " warnings, binaries asked for "
              << fake_opencl_calls("clGetProgramInfo") << " times, " << entries().size() << " entries";
    ::_exit(built ? 0 : 1);
  }
};

TEST_F(GpuProgramCacheRefused, WithoutACacheNoDriverIsAskedForBinaries) {
  EXPECT_EXIT(build_twice("off"), ::testing::ExitedWithCode(0),
              "0 warnings, binaries asked for 0 times, 0 entries");
}

// The NPU's rules: one warning, nothing is kept there, the work goes on.
TEST_F(GpuProgramCacheRefused, AFolderThatOthersMayWriteIsNotUsed) {
  const std::string open = folder_ + "_open";
  fs::create_directory(open);
  fs::permissions(open, fs::perms::all);
  EXPECT_EXIT(build_twice(open.c_str()), ::testing::ExitedWithCode(0),
              "can be written by other users(.|\n)*1 warnings, binaries asked for 0 times");
  EXPECT_TRUE(fs::is_empty(open));
  fs::remove(open);
}

TEST_F(GpuProgramCacheRefused, AFolderBehindALinkIsNotUsed) {
  const std::string link = folder_ + "_link";
  fs::create_directory_symlink(folder_, link);
  EXPECT_EXIT(build_twice(link.c_str()), ::testing::ExitedWithCode(0),
              "is a symbolic link or no folder(.|\n)*1 warnings, binaries asked for 0 times, 0 entries");
  fs::remove(link);
}

TEST_F(GpuProgramCacheFaults, AnEntryThatOthersMayWriteIsMadeAgain) {
  use();
  fs::permissions(fs::path(folder_) / *entries().begin(), fs::perms::others_write, fs::perm_options::add);
  LogCapture log;
  EXPECT_EQ(use(), kBuilt);
  EXPECT_EQ(use(), kLoaded);
  EXPECT_THAT(LogCapture::warnings(), ElementsAre(HasSubstr("can be written by other users")));
}

TEST_F(GpuProgramCacheFaults, TwoProcessesAtOnceBothHaveTheirProgram) {
  const auto work = [] {
    for (int i = 0; i < 60; ++i) {
      if (i % 6 == 0) empty();
      const Uses uses = use({.lanes = i % 4 * 4 + 4});
      if (uses != kBuilt && uses != kLoaded) return 1;
    }
    return HasFailure() ? 1 : 0;
  };
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  EXPECT_EQ(work(), 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const std::string& name : entries()) EXPECT_THAT(name, ::testing::EndsWith(".artifact"));
  EXPECT_EQ(use({.lanes = 4}), kLoaded);
}

}  // namespace
}  // namespace sluice::gpu
