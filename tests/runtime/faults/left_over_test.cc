// Whatever went wrong in a test of this program, it leaves no thread and no descriptor behind.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

namespace fs = std::filesystem;

// A run that has everything: what libraries start once per process is there after it.
void warm_up() {
  FaultRun run(
      "version: 1\n"
      "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
      "nodes:\n"
      "  - {id: cam, type: video_source, options: {uri: data/videos/face720.mp4}}\n"
      "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
      "  - {id: face, type: infer, inputs: pre, options: {model: face}}\n"
      "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n"
      "  - {id: lines, type: json_sink, inputs: boxes, options: {path: /dev/null, overwrite: true}}\n");
  RunOptions options;
  options.frames = 20;
  if (const Status status = run.run(options); !status.ok()) ADD_FAILURE() << status.message();
}

class LeftOver final : public ::testing::EmptyTestEventListener {
  void OnTestProgramStart(const ::testing::UnitTest&) override { warm_up(); }
  void OnTestStart(const ::testing::TestInfo&) override {
    threads_ = threads_now();
    descriptors_ = descriptors_now();
    abandoned_ = abandoned_runs();
  }
  void OnTestEnd(const ::testing::TestInfo&) override {
    if (abandoned_runs() > abandoned_) return;  // a body that does not come back keeps its run
    EXPECT_TRUE(threads_come_down_to(threads_)) << threads_now() << " threads instead of " << threads_;
    EXPECT_EQ(descriptors_now(), descriptors_) << "descriptors are left open";
  }
  int threads_ = 0;
  int descriptors_ = 0;
  std::size_t abandoned_ = 0;
};

// gtest owns it.
[[maybe_unused]] const bool kWatched = [] {
  ::testing::UnitTest::GetInstance()->listeners().Append(new LeftOver());
  return true;
}();

// --- faults of the world outside, each run until it fails

class OutsideFault : public ::testing::Test {
 public:
  ~OutsideFault() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

 protected:
  OutsideFault() {
    std::string name = (fs::temp_directory_path() / "sluice_faults_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no folder for the test");
    folder_ = name;
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(at(name), std::ios::binary) << bytes;
    return at(name);
  }
  static std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  static std::string source(const std::string& options) {
    return "  - {id: cam, type: video_source, options: {" + options + "}}\n";
  }
  static std::string bars() { return source("uri: 'test:bars', width: 64, height: 64"); }
  static std::string out(const std::string& type, const std::string& options = "") {
    return "  - {id: out, type: " + type + ", inputs: cam, options: {" + options + "}}\n";
  }

  // Fails three times in a row in the same way, and nothing adds up.
  static void fails(const std::string& nodes, Code code, const std::string& words) {
    for (int i = 0; i < 3; ++i) {
      FaultRun run("version: 1\nnodes:\n" + nodes);
      RunOptions options;
      options.frames = 400;
      const Status status = run.run(options);
      EXPECT_EQ(status.code(), code) << status.message();
      EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
    }
  }
  static void is_refused(const std::string& yaml, Code code) {
    for (int i = 0; i < 3; ++i) {
      const Result<Pipeline> loaded = Pipeline::load(yaml, registry_with_faults());
      ASSERT_FALSE(loaded.ok());
      EXPECT_EQ(loaded.status().code(), code) << loaded.status().message();
    }
  }

  fs::path folder_;
};

TEST_F(OutsideFault, VideosThatCannotBeOpened) {
  write("text.mp4", std::string(2000, 'x'));
  write("empty.mp4", "");
  fails(source("uri: " + at("none.mp4")) + out("null_sink"), Code::kFailed, "no such file");
  fails(source("uri: " + at("text.mp4")) + out("null_sink"), Code::kFailed, "no video");
  fails(source("uri: " + at("empty.mp4")) + out("null_sink"), Code::kFailed, "empty");
  fails(source("uri: 'http://127.0.0.1:1/x.mp4'") + out("null_sink"), Code::kFailed, "refused");
}

TEST_F(OutsideFault, AVideoThatIsCutOff) {
  const std::string whole = read("data/videos/face720.mp4");
  ASSERT_GT(whole.size(), 1000u);
  write("cut.mp4", whole.substr(0, whole.size() / 2));
  fails(source("uri: " + at("cut.mp4")) + out("null_sink"), Code::kFailed, "cut.mp4");
}

TEST_F(OutsideFault, FullDisks) {
  fs::create_symlink("/dev/full", folder_ / "full.jsonl");
  fs::create_symlink("/dev/full", folder_ / "full.mp4");
  fails(bars() + out("json_sink", "overwrite: true, path: " + at("full.jsonl")), Code::kFailed,
        "No space left");
  fails(bars() + out("video_sink", "overwrite: true, path: " + at("full.mp4")), Code::kFailed,
        "No space left");
}

TEST_F(OutsideFault, AFileThatIsThereAlready) {
  write("kept.jsonl", "precious");
  fails(bars() + out("json_sink", "path: " + at("kept.jsonl")), Code::kFailed, "exists");
  EXPECT_EQ(read(at("kept.jsonl")), "precious");
}

TEST_F(OutsideFault, FilesAndModelsThatAreRefused) {
  write("broken.onnx", "no model");
  const std::string front = "data/models/face_detection_front_128x128.onnx";
  write("cut.onnx", read(front).substr(0, 1000));
  const std::string nodes = "nodes:\n" + bars() +
                            "  - {id: pre, type: preprocess, inputs: cam, options: {model: face}}\n"
                            "  - {id: face, type: infer, inputs: pre, options: {model: face}}\n"
                            "  - {id: out, type: null_sink, inputs: face}\n";
  for (const std::string& model :
       {at("none.onnx"), at("broken.onnx"), at("cut.onnx"), front + ", sha256: " + std::string(64, 'a')}) {
    is_refused(fmt::format("version: 1\nmodels: {{face: {{path: {}}}}}\n{}", model, nodes),
               Code::kUnavailable);
  }
  is_refused("version: 1\nnodes: [[[[\n", Code::kInvalid);
  is_refused("version: 1\nnodes:\n" + bars(), Code::kInvalid);
}

TEST_F(OutsideFault, ABackendThatFailsTenTimesInARow) {
  for (int i = 0; i < 3; ++i) {
    FaultRun run(
        "version: 1\n"
        "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
        "nodes:\n" +
        bars() +
        "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
        "  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], fake: "
        "{latency_ms: 0, "
        "fail_at: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, "
        "25, "
        "26, 27, 28, 29, 30, 31, 32, 33, 34, 35]}}}\n"
        "  - {id: out, type: null_sink, inputs: face}\n");
    RunOptions options;
    options.frames = 60;
    EXPECT_EQ(run.run(options).code(), Code::kFailed);
    EXPECT_GE(count(run.report().sources[0].dropped, DropReason::kFailed), 10u);
  }
}

}  // namespace
}  // namespace sluice::testing
