// Sinks that do not replace their files, in a test that would open them again.
#include "runtime/thermal/kept_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "runtime/thermal/thermal_test.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class KeptFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // A real test of a camera and this sink: what it says of its files before anything runs.
  Status said(const std::string& sink, const ThermalOptions& changes = {},
              const ThermalReport* earlier = nullptr) {
    ThermalOptions options = changes;
    options.file = folder_ + "/test.yaml";
    std::ofstream(options.file)
        << "version: 1\nnodes:\n- {id: cam, type: video_source, options: {uri: 'test:bars', "
           "width: 64, height: 64, pace: 30}}\n- {id: out, inputs: cam, "
        << sink << "}\n";
    ThermalTest test(options, [](const ThermalReport&, const ThermalRun&) { return Status{}; });
    LoadIssues issues;
    EXPECT_TRUE(test.check(issues)) << issues.status().message();
    if (earlier) {
      ThermalReport resumed = test.report();
      resumed.runs = earlier->runs;
      EXPECT_TRUE(test.resume(resumed).ok());
    }
    return test.check_files();
  }

  const std::string folder_ = ::testing::TempDir() + "/kept_files_" + std::to_string(::getpid());
  const std::string video_ = "type: video_sink, options: {path: out.mp4}";
  const std::string pictures_ = "type: image_sink, options: {path: pictures/}";
};

TEST_F(KeptFiles, OneRunMayWriteWhatIsNotThere) {
  EXPECT_TRUE(said(video_).ok());
  EXPECT_TRUE(said(pictures_).ok());
}

TEST_F(KeptFiles, SeveralRunsNeedToReplaceThem) {
  ThermalOptions twice;
  twice.repeat = 2;
  EXPECT_EQ(said(video_, twice).code(), Code::kInvalid);
  EXPECT_THAT(said(video_, twice).message(),
              AllOf(HasSubstr("node 'out': option 'path' is"), HasSubstr("out.mp4'"),
                    HasSubstr("each of the 2 runs"), HasSubstr("set overwrite: true")));
  twice.repeat = 1;
  twice.policies = {"fixed", "latency"};
  EXPECT_EQ(said(pictures_, twice).code(), Code::kInvalid);
  EXPECT_TRUE(said("type: video_sink, options: {path: out.mp4, overwrite: true}", twice).ok());
  EXPECT_TRUE(said("type: null_sink", twice).ok());
  twice.policies = {"fixed", "fixed"};
  EXPECT_TRUE(said(video_, twice).ok()) << "a policy is run once";
}

TEST_F(KeptFiles, ASimulatedTestWritesNone) {
  ThermalOptions twice;
  twice.repeat = 2;
  twice.device = "sim:generic";
  EXPECT_TRUE(said(video_, twice).ok());
}

TEST_F(KeptFiles, AFileThatIsThereIsFoundBeforeTheCoolDown) {
  std::ofstream(folder_ + "/out.mp4") << "x";
  EXPECT_EQ(said(video_).code(), Code::kFailed) << "as a run has it";
  std::filesystem::create_directories(folder_ + "/pictures");
  EXPECT_TRUE(said(pictures_).ok());
  std::ofstream(folder_ + "/pictures/cam_000000.jpg") << "x";
  EXPECT_THAT(said(pictures_).message(), HasSubstr("cam_000000.jpg' exists"));
}

TEST_F(KeptFiles, AResumedTestMeetsItsOwn) {
  std::ofstream(folder_ + "/out.mp4") << "x";
  ThermalReport earlier;
  earlier.runs.push_back({"fixed"});
  const Status status = said(video_, {}, &earlier);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.message(),
              AllOf(HasSubstr("maybe of the interrupted test"), HasSubstr("set overwrite: true")));
}

TEST_F(KeptFiles, WhatIsCompleteWritesNothingAnymore) {
  std::ofstream(folder_ + "/out.mp4") << "x";
  ThermalReport earlier;
  ThermalWindow window;
  window.t_s = window.seconds = 10;
  window.fps = 30;
  window.delivered = 300;
  earlier.runs.push_back({.policy = "fixed", .complete = true, .windows = {window}});
  EXPECT_TRUE(said(video_, {}, &earlier).ok());
}

}  // namespace
}  // namespace sluice
