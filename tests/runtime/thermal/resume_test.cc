// What --resume goes on with: the same pipeline on the same profile, and windows that a test has written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "runtime/thermal/earlier_test.h"
#include "runtime/thermal/identity.h"
#include "runtime/thermal/thermal_json.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

const std::string kCamera =
    "version: 1\nname: a\nnodes:\n- {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, "
    "height: "
    "64, pace: 30}}\n";
const std::string kSink = "- {id: out, type: null_sink, inputs: cam}\n";

class Resume : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    const std::string path = ::testing::TempDir() + "/resume_" + std::to_string(::getpid()) + "_" + name;
    std::ofstream(path) << text;
    return path;
  }
  static ThermalOptions options(const std::string& file, const std::string& device = "sim:generic") {
    ThermalOptions out;
    out.file = file;
    out.device = device;
    out.duration_s = 60;
    out.recovery_s = 10;
    return out;
  }
  static ThermalReport report_of(const ThermalOptions& wanted) {
    ThermalTest test(wanted, [](const ThermalReport&, const ThermalRun&) { return Status{}; });
    LoadIssues issues;
    EXPECT_TRUE(test.check(issues)) << issues.status().message();
    EXPECT_TRUE(test.run().ok());
    return test.report();
  }
  // As the program reads it.
  ThermalReport as_read(const ThermalReport& report) const {
    auto read = read_thermal_json(write("result.json", thermal_json(report)));
    EXPECT_TRUE(read.ok()) << read.status().message();
    return *read;
  }
  static Status resumed(const ThermalOptions& wanted, ThermalReport earlier) {
    ThermalTest test(wanted, [](const ThermalReport&, const ThermalRun&) { return Status{}; });
    LoadIssues issues;
    EXPECT_TRUE(test.check(issues)) << issues.status().message();
    return test.resume(std::move(earlier));
  }
};

TEST_F(Resume, AnotherPipelineOfTheSameNameIsRefused) {
  const std::string file = write("a.yaml", kCamera + kSink);
  const ThermalReport earlier = as_read(report_of(options(file)));
  EXPECT_EQ(earlier.pipeline_sha256.size(), 64u);
  EXPECT_TRUE(resumed(options(file), earlier).ok());
  write("a.yaml", "# what is said is the same\n" + kCamera + "\n" + kSink);
  EXPECT_TRUE(resumed(options(file), earlier).ok());
  write("a.yaml", kCamera +
                      "- {id: slow, type: rate_limit, inputs: cam, options: {rate_hz: 5}}\n"
                      "- {id: out, type: null_sink, inputs: slow}\n");
  EXPECT_THAT(resumed(options(file), earlier).message(), HasSubstr("of another pipeline (of the same name"));
  ThermalReport old = earlier;
  old.pipeline_sha256 = old.profile_sha256 = "";
  EXPECT_TRUE(resumed(options(file), old).ok()) << "an older version wrote names alone";
}

TEST_F(Resume, AnotherModelOfTheSamePathIsRefused) {
  const auto model = [&](const char* name) {
    std::ostringstream bytes;
    bytes << std::ifstream(std::string("data/models/") + name, std::ios::binary).rdbuf();
    return write("model.onnx", bytes.str());
  };
  const std::string path = model("face_detection_front_128x128.onnx");
  const std::string file =
      write("a.yaml", "version: 1\nname: same\nmodels: {face: {path: " + path +
                          "}}\nnodes:\n- {id: cam, type: video_source, options: {uri: 'test:bars'}}\n"
                          "- {id: pre, type: preprocess, inputs: cam, options: {model: face}}\n"
                          "- {id: face, type: infer, inputs: pre, options: {model: face, backends: [cpu]}}\n"
                          "- {id: out, type: null_sink, inputs: face}\n");
  const ThermalReport earlier = as_read(report_of(options(file)));
  EXPECT_EQ(earlier.models_sha256.size(), 64u);
  EXPECT_TRUE(resumed(options(file), earlier).ok());
  model("face_detection_back_256x256.onnx");
  EXPECT_THAT(resumed(options(file), earlier).message(), HasSubstr("of another model (a file of its models"));
}

TEST_F(Resume, AnEditedProfileIsRefused) {
  std::ostringstream text;
  text << std::ifstream("profiles/generic.yaml").rdbuf();
  const std::string profile = write("profile.yaml", text.str());
  const ThermalOptions wanted = options(write("a.yaml", kCamera + kSink), "sim:" + profile);
  const ThermalReport earlier = as_read(report_of(wanted));
  EXPECT_EQ(earlier.profile_sha256, profile_sha256("generic")) << "a copy of the shipped one";
  EXPECT_TRUE(resumed(wanted, earlier).ok());
  write("profile.yaml", text.str() + "# edited\n");
  EXPECT_THAT(resumed(wanted, earlier).message(), HasSubstr("of another device (its profile"));
}

// Each is what an editor can do to a file.
TEST_F(Resume, WindowsThatNoTestHasWrittenAreRefused) {
  const ThermalOptions wanted = options(write("a.yaml", kCamera + kSink));
  const ThermalReport good = as_read(report_of(wanted));
  ASSERT_TRUE(resumed(wanted, good).ok());
  ASSERT_EQ(good.runs[0].windows.size(), 14u);
  const auto edited = [&](const std::function<void(std::vector<ThermalWindow>&)>& edit) {
    ThermalReport out = good;
    edit(out.runs[0].windows);
    return resumed(wanted, as_read(out)).message();
  };
  EXPECT_THAT(edited([](auto& w) { w[2].delivered = 0; }),
              HasSubstr("repetition 1, window 3: 'delivered' is 0"));
  EXPECT_THAT(edited([](auto& w) { w[2].delivered *= 2; }), HasSubstr("window 3: 'delivered' is 300"));
  EXPECT_THAT(edited([](auto& w) { w[1].t_s = -5; }), HasSubstr("window 2: it is 5 s long and ends at -5 s"));
  EXPECT_THAT(edited([](auto& w) { std::ranges::reverse(w); }), HasSubstr("window 1: it begins at"));
  EXPECT_THAT(edited([](auto& w) { w.erase(w.begin() + 3); }), HasSubstr("window 4: it begins at 20 s"));
  EXPECT_THAT(edited([](auto& w) { w.erase(w.begin() + 9, w.end()); }), HasSubstr("it has 1800 frames, and"));
  EXPECT_THAT(edited([](auto& w) { w.clear(); }), HasSubstr("it is complete and has no windows"));
  EXPECT_THAT(edited([](auto& w) { w.back().load = true; }), HasSubstr("window 14: it is of the load"));
}

}  // namespace
}  // namespace sluice
