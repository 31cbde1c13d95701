#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "nodes/post_nodes.h"
#include "tests/nodes/post/decoder_testing.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

Packet two_faces() {
  static const std::vector<std::string> kLabels = {"face"};
  Detections d;
  d.labels = &kLabels;
  Detection& first = d.add();
  first = {10.126F, 20, 30.5F, 40.25F, 0.93F, 0, {{1, 2}, {3.5F, 4.13F}}};
  Detection& second = d.add();
  second = {0, 0, 5, 6, 0.5F, 3, {}};
  return make_packet(std::move(d));
}

class JsonSinkTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        fs::path(::testing::TempDir()) / ("json_sink_" + std::to_string(::getpid()) + "_" +
                                          ::testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    path_ = (folder_ / "out.jsonl").string();
  }
  void TearDown() override {
    node_.reset();
    fs::permissions(folder_, fs::perms::owner_all);
    fs::remove_all(folder_);
  }

  void input(PortType type, std::string name = "") { edges_.emplace_back(std::move(type), std::move(name)); }
  Status open(bool overwrite = false) {
    if (edges_.empty()) input(port_of(PortKind::kDetections));
    OpenSetup setup(options_of(declaration_, {{"path", text(path_)}, {"overwrite", flag(overwrite)}}));
    for (const auto& [type, name] : edges_) setup.input(0, type, name);
    node_ = declaration_.create().value();
    return node_->open(setup.context());
  }
  std::string content() {
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }
  // The one line written for the inputs that were set.
  std::string line() {
    EXPECT_TRUE(open().ok());
    EXPECT_TRUE(node_->begin_run().ok());
    const Status status = node_->process(context_);
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_TRUE(node_->close().ok());
    return content();
  }

  NodeDeclaration declaration_ = json_sink_declaration();
  std::vector<std::pair<PortType, std::string>> edges_;
  FakeContext context_;
  std::unique_ptr<Node> node_;
  fs::path folder_;
  std::string path_;
};

TEST_F(JsonSinkTest, WritesTheLineOfTheContract) {
  context_.info.number = 12;
  context_.info.media_time = from_ms(400);
  context_.set_input(0, two_faces());
  EXPECT_EQ(
      line(),
      R"({"source": "camera", "frame": 12, "time_ms": 400.0, "detections": [)"
      R"({"label": "face", "score": 0.93, "box": [10.13, 20.0, 30.5, 40.25], "keypoints": [[1.0, 2.0], [3.5, 4.13]]}, )"
      R"({"label": "3", "score": 0.5, "box": [0.0, 0.0, 5.0, 6.0]}]})"
      "\n");
}

TEST_F(JsonSinkTest, TextHasItsFourCorners) {
  input(port_of(PortKind::kText));
  TextRegions regions;
  TextRegion& first = regions.add();
  first = {{{{1, 2}, {30.5F, 4.13F}, {29, 14}, {0, 12}}}, 0.875F, "Größe \"L\""};
  regions.add().box = {};
  context_.set_input(0, make_packet(std::move(regions)));
  EXPECT_THAT(
      line(),
      HasSubstr(R"("text": [{"text": "Größe \"L\"", "score": 0.875, "box": [[1.0, 2.0], [30.5, 4.13], )"
                R"([29.0, 14.0], [0.0, 12.0]]}, {"text": "", "score": 0.0, "box": [[0.0, 0.0], )"));
}

// 0 1      a grid of three rows and two columns, whose cells are 10 x 20 source pixels
// 1 1
// 0 255
Mask small_mask(std::vector<std::uint8_t> values) {
  Mask mask;
  mask.geometry = {10, 0, 5, 0, 20, 0, 2, 3, 100, 100};
  mask.values = std::move(values);
  return mask;
}

TEST_F(JsonSinkTest, ALabelMapHasOneEntryPerClassThatOccurs) {
  static const std::vector<std::string> kLabels = {"road", "person"};
  input(port_of(PortKind::kMasks));
  Masks masks;
  masks.labels = &kLabels;
  masks.add() = small_mask({0, 1, 1, 1, 0, 255});
  context_.set_input(0, make_packet(std::move(masks)));
  EXPECT_THAT(
      line(),
      HasSubstr(R"("masks": [{"label": "road", "index": 0, "size": [3, 2], "counts": [0, 1, 1, 1, 3], )"
                R"("to_source": [10.0, 0.0, 5.0, 0.0, 20.0, 0.0]}, )"
                R"({"label": "person", "index": 1, "size": [3, 2], "counts": [1, 1, 1, 2, 1], )"));
}

TEST_F(JsonSinkTest, TheBackgroundOfALabelMapIsNotWritten) {
  input(port_of(PortKind::kMasks));
  Masks masks;
  masks.background = 0;
  masks.add() = small_mask({0, 1, 1, 1, 0, 255});
  context_.set_input(0, make_packet(std::move(masks)));
  const std::string text = line();
  EXPECT_THAT(text, HasSubstr(R"("masks": [{"label": "1", "index": 1,)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr(R"("index": 0)")));
}

TEST_F(JsonSinkTest, AnInstanceIsWhatItsMaskCovers) {
  input(port_of(PortKind::kMasks));
  Masks masks;
  masks.kind = Masks::Kind::kInstances;
  masks.add() = small_mask({0, 127, 128, 255, 0, 0});
  masks.items[0].label = 4;
  masks.items[0].score = 0.5F;
  masks.add() = small_mask({1, 2});  // fewer values than its grid has cells: not a mask
  context_.set_input(0, make_packet(std::move(masks)));
  EXPECT_THAT(line(),
              HasSubstr(R"("masks": [{"label": "4", "index": 4, "score": 0.5, "size": [3, 2], )"
                        R"("counts": [1, 1, 2, 1, 1], "to_source": [10.0, 0.0, 5.0, 0.0, 20.0, 0.0]}]})"));
}

TEST_F(JsonSinkTest, NoDetectionsAreAnEmptyList) {
  context_.set_input(0, make_packet(Detections{}));
  EXPECT_EQ(line(), "{\"source\": \"camera\", \"frame\": 0, \"time_ms\": 0.0, \"detections\": []}\n");
}

TEST_F(JsonSinkTest, AnEmptyListOfPacketsStillGivesALine) {
  context_.set_input(0, std::vector<Packet>{});
  EXPECT_EQ(line(), "{\"source\": \"camera\", \"frame\": 0, \"time_ms\": 0.0, \"detections\": []}\n");
}

TEST_F(JsonSinkTest, AListHasOneEntryPerElementAndNullForAFailedOne) {
  PortType crops = port_of(PortKind::kClasses);
  crops.max_packets = 32;
  input(crops);
  Classes classes;
  classes.items = {{4, 0.75F}};
  classes.count = 1;
  context_.set_input(0, {make_packet(std::move(classes)), Packet()});
  EXPECT_THAT(line(), HasSubstr(R"("classes": [[{"label": "4", "index": 4, "score": 0.75}], null]})"));
}

TEST_F(JsonSinkTest, MergesInputsUnderTheNamesOfTheMapElseOfTheType) {
  input(port_of(PortKind::kDetections), "faces");
  input(port_of(PortKind::kClasses));
  input(tensor_port(tensor_type("e", {1, 2}, DType::kInt8)), "a \"b\"");
  input(image_port({PixelFormat::kNv12, 64, 48, {}, 90}));
  context_.set_input(0, make_packet(Detections{}), 0);
  context_.set_input(0, make_packet(Classes{}), 1);
  context_.set_input(0,
                     make_tensor(quantised(tensor_type("e", {1, 2}), DType::kInt8, 0.5F, 1),
                                 std::vector<std::int8_t>{3, -1}),
                     2);
  context_.set_input(0, make_picture({PixelFormat::kNv12, 64, 48, {}, 90}), 3);
  const std::string text = line();
  EXPECT_THAT(text, HasSubstr(R"("faces": [], "classes": [], "a \"b\"": )"
                              R"({"dtype": "int8", "shape": [1, 2], "values": [1.0, -1.0]}, )"
                              R"("image": {"width": 48, "height": 64, "format": "nv12"}})"));
  EXPECT_EQ(nlohmann::json::parse(text).size(), 7U);
}

TEST_F(JsonSinkTest, EveryElementTypeIsWritten) {
  input(tensor_port(tensor_type("e", {2}, DType::kInt64)), "long");
  input(tensor_port(tensor_type("e", {2}, DType::kFloat64)), "double");
  input(tensor_port(tensor_type("e", {2}, DType::kBool)), "truth");
  const TensorType truth = tensor_type("e", {2}, DType::kBool);
  context_.set_input(
      0, make_tensor(tensor_type("e", {2}, DType::kInt64), std::vector<std::int64_t>{9007199254740993, -1}),
      0);
  context_.set_input(0, make_tensor(tensor_type("e", {2}, DType::kFloat64), std::vector<double>{0.1, 3}), 1);
  context_.set_input(0, make_tensor(truth, std::vector<std::uint8_t>{1, 0}), 2);
  const std::string text = line();
  EXPECT_THAT(text, HasSubstr(R"("shape": [2], "values": [9007199254740993, -1])"));
  EXPECT_THAT(text, HasSubstr(R"("shape": [2], "values": [0.1, 3.0])"));
  EXPECT_THAT(text, HasSubstr(R"("shape": [2], "values": [true, false])"));
}

TEST_F(JsonSinkTest, ScalesPerAxisAreApplied) {
  TensorType type = tensor_type("e", {1, 2, 2}, DType::kUint8);
  type.quant = QuantParams{{0.5F, 2}, {1, 10}, 1};
  input(tensor_port(type));
  context_.set_input(0, make_tensor(type, std::vector<std::uint8_t>{1, 2, 9, 11}));
  EXPECT_THAT(line(), HasSubstr(R"("shape": [1, 2, 2], "values": [0.0, 0.5, -2.0, 2.0])"));
}

TEST_F(JsonSinkTest, ABoxNeverReachesBeyondWhatItWas) {
  Detections d;
  d.add() = {1000.305F, 0.005F, 279.695F, 719.995F, 1, 0, {}};
  context_.set_input(0, make_packet(std::move(d)));
  const auto box = nlohmann::json::parse(line())["detections"][0]["box"];
  EXPECT_LE(box[0].get<double>() + box[2].get<double>(), 1280.0 + 1e-9);
  EXPECT_LE(box[1].get<double>() + box[3].get<double>(), 720.0 + 1e-9);
}

struct Odd {
  static constexpr std::string_view kPayloadName = "odd";
};

TEST_F(JsonSinkTest, KeysAreCheckedInThePlan) {
  const auto check = [&](std::vector<PortType> edges, std::vector<std::string> names) {
    FakeTypes types;
    types.ports = {std::move(edges)};
    types.names = {std::move(names)};
    return declaration_.infer_types(types).status().message();
  };
  const PortType found = port_of(PortKind::kDetections);
  PortType odd;
  odd.kind = PortKind::kCustom;
  odd.payload = payload_type<Odd>();
  EXPECT_EQ(check({found, found}, {"a", "b"}), "");
  EXPECT_EQ(check({found, found}, {}),
            "two inputs of json_sink would be written as 'detections': name them in a map, "
            "such as inputs: {first: ..., second: ...}");
  EXPECT_EQ(check({found}, {"frame"}), "json_sink writes 'frame' itself: give the input another name");
  EXPECT_EQ(check({odd}, {}),
            "json_sink cannot write values of type 'odd', allowed: detections, classes, text, "
            "masks, tensor, frame");
}

TEST_F(JsonSinkTest, TouchesNoFileBeforeTheRunBegins) {
  ASSERT_TRUE(open().ok());
  EXPECT_TRUE(node_->close().ok()) << "the probe of another node failed";
  EXPECT_FALSE(fs::exists(path_));
  ASSERT_TRUE(open().ok());
  ASSERT_TRUE(node_->begin_run().ok());
  EXPECT_TRUE(fs::exists(path_)) << "a run without frames leaves an empty file";
}

TEST_F(JsonSinkTest, AnExistingFileNeedsOverwrite) {
  std::ofstream(path_) << "old";
  EXPECT_EQ(open().message(), "'" + path_ + "' exists; set overwrite: true to replace it");
  EXPECT_EQ(open().code(), Code::kFailed);
  ASSERT_TRUE(open(true).ok());
  EXPECT_EQ(content(), "old");
  ASSERT_TRUE(node_->begin_run().ok());
  EXPECT_EQ(content(), "");
}

TEST_F(JsonSinkTest, AFileThatAppearsMeanwhileIsNotReplaced) {
  ASSERT_TRUE(open().ok());
  std::ofstream(path_) << "old";
  EXPECT_EQ(node_->begin_run().message(), "cannot create '" + path_ + "': File exists");
  EXPECT_EQ(content(), "old");
}

TEST_F(JsonSinkTest, BadPathsFailAtTheProbe) {
  const std::string good = path_;
  path_ = (folder_ / "none" / "out.jsonl").string();
  EXPECT_EQ(open().message(), "cannot create '" + path_ + "': No such file or directory");
  path_ = folder_.string();
  EXPECT_EQ(open(true).message(), "cannot write '" + path_ + "': it is a folder");
  path_ = good + "/x";
  std::ofstream(good) << "old";
  EXPECT_EQ(open().message(), "cannot create '" + path_ + "': Not a directory");
  if (geteuid() == 0) return;  // root may write anywhere
  path_ = (folder_ / "new").string();
  fs::permissions(folder_, fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(open().message(), "cannot create '" + path_ + "': Permission denied");
}

TEST_F(JsonSinkTest, APipeWithoutAReaderIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(path_.c_str(), 0600), 0);
  ASSERT_TRUE(open().ok());
  const Status nobody = node_->begin_run();
  EXPECT_EQ(nobody.code(), Code::kTimeout);
  EXPECT_THAT(nobody.message(), HasSubstr("nobody reads the pipe '" + path_));
  const int reader = ::open(path_.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  EXPECT_TRUE(node_->begin_run().ok());
  context_.set_input(0, two_faces());
  EXPECT_TRUE(node_->process(context_).ok());
  char first = 0;
  EXPECT_EQ(::read(reader, &first, 1), 1);
  EXPECT_EQ(first, '{');
  EXPECT_TRUE(node_->close().ok());
  ::close(reader);
}

TEST_F(JsonSinkTest, AFullDiskIsAFailureOfTheLineItself) {
  path_ = "/dev/full";
  ASSERT_TRUE(open().ok()) << "a device is no file to replace";
  context_.set_input(0, make_packet(Detections{}));
  EXPECT_EQ(node_->process(context_).message(), "cannot write '/dev/full': No space left on device");
  EXPECT_TRUE(node_->close().ok()) << "it was said";
}

TEST_F(JsonSinkTest, WhatWasTakenIsInTheFile) {
  ASSERT_TRUE(open().ok());
  context_.set_input(0, make_packet(Detections{}));
  for (int lines = 1; lines <= 2; ++lines) {
    ASSERT_TRUE(node_->process(context_).ok());
    const std::string text = content();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), lines);
  }
}

// Stands in for standard output while a test runs.
class StandardOutput {
 public:
  explicit StandardOutput(int file) : saved_(dup(STDOUT_FILENO)) {
    fflush(stdout);
    dup2(file, STDOUT_FILENO);
    close(file);
  }
  ~StandardOutput() {
    dup2(saved_, STDOUT_FILENO);
    close(saved_);
  }

 private:
  int saved_;
};

TEST_F(JsonSinkTest, StandardOutputGetsEachLineAtOnce) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  path_ = "-";
  char buffer[200] = {};
  {
    const StandardOutput redirected(ends[1]);
    ASSERT_TRUE(open().ok());
    context_.set_input(0, make_packet(Detections{}));
    ASSERT_TRUE(node_->process(context_).ok());
    EXPECT_GT(read(ends[0], buffer, sizeof buffer - 1), 0);
    EXPECT_TRUE(node_->close().ok());
    EXPECT_GE(fcntl(STDOUT_FILENO, F_GETFD), 0) << "stays open";
  }
  close(ends[0]);
  EXPECT_STREQ(buffer, "{\"source\": \"camera\", \"frame\": 0, \"time_ms\": 0.0, \"detections\": []}\n");
}

TEST_F(JsonSinkTest, AReaderThatWentAwayIsAFailure) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  path_ = "-";
  Status status;
  {
    const StandardOutput redirected(ends[1]);
    ASSERT_TRUE(open().ok());
    context_.set_input(0, make_packet(Detections{}));
    status = node_->process(context_);
  }
  std::signal(SIGPIPE, before);
  EXPECT_EQ(status.message(), "cannot write standard output: Broken pipe");
}

}  // namespace
}  // namespace sluice
