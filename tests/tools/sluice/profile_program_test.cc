// `sluice profile` on the real BlazeFace 128.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/inference/onnx_builder.h"
#include "tests/runtime/file_limit.h"

namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

const std::string kModel = "data/models/face_detection_front_128x128.onnx";
const std::string kQuantised = "data/models/face_detection_front_128x128.w8a16.onnx";

class ProfileProgram : public ::testing::Test {
 public:
  ~ProfileProgram() override { fs::remove_all(folder_); }

 protected:
  ProfileProgram() : folder_(fs::path(::testing::TempDir()) / ("profile_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_);
  }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  int run(const std::string& arguments) {
    const std::string line = std::string(SLUICE_PROGRAM) + " profile " + arguments + " > " + at("out") +
                             " 2> " + at("err") + " < /dev/null";
    const int status = std::system(line.c_str());
    const auto read = [](const std::string& path) {
      std::ostringstream text;
      text << std::ifstream(path, std::ios::binary).rdbuf();
      return text.str();
    };
    out_ = read(at("out"));
    err_ = read(at("err"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  fs::path folder_;
  std::string out_, err_;
};

void expect_figures(const nlohmann::json& backend) {
  const auto& latency = backend["latency_ms"];
  double before = 0;
  for (const char* key : {"p50", "p90", "p95", "p99", "max"}) {
    EXPECT_GE(latency[key].get<double>(), before) << key;
    before = latency[key];
  }
  EXPECT_GT(latency["p50"], 0.0);
  EXPECT_GT(backend["fps"], 0.0);
  EXPECT_GT(backend["cpu_ms_per_run"], 0.0);
  EXPECT_GT(backend["memory"]["peak_rss_mb"], 1.0);
  // The gpu leaves 16-bit conversions to the CPU provider.
  int operators = backend["operators"]["on_backend"];
  for (const auto& [place, count] : backend["operators"]["elsewhere"].items()) {
    EXPECT_EQ(backend["backend"], "gpu") << place;
    operators += count.get<int>();
  }
  EXPECT_EQ(operators, backend["operators"]["total"]);
}

// Our provider's own times: each of an operator of the model, whose type the file tells.
void expect_own_operators(const nlohmann::json& gpu) {
  ASSERT_EQ(gpu["slowest"].size(), 5U) << gpu["layers_reason"];
  double share = 0;
  int convolutions = 0;
  for (const auto& layer : gpu["layers"]) {
    EXPECT_GE(layer["ms"], 0.0) << layer;
    share += layer["share"].get<double>();
    convolutions += layer["operator"] == "Conv" ? 1 : 0;
  }
  EXPECT_NEAR(share, 1, 1e-6);
  EXPECT_GT(convolutions, 20);
}

TEST_F(ProfileProgram, SaysHowFastAndWhatIsSlow) {
  ASSERT_EQ(run(kModel + " --backend cpu --json"), 0) << err_;
  EXPECT_EQ(err_, "");
  const auto json = nlohmann::json::parse(out_);
  ASSERT_EQ(json["backends"].size(), 1u);
  const auto& cpu = json["backends"][0];
  EXPECT_EQ(cpu["runs"], 100);
  expect_figures(cpu);
  EXPECT_GT(cpu["layers"].size(), 20u);
  ASSERT_EQ(cpu["slowest"].size(), 5u);
  double share = 1;
  for (const auto& layer : cpu["slowest"]) {
    EXPECT_LE(layer["share"].get<double>(), share);
    share = layer["share"];
    EXPECT_GT(layer["ms"], 0.0);
    EXPECT_FALSE(layer["remedy"].get<std::string>().empty());
  }
}

TEST_F(ProfileProgram, AQuantisedModelIsNotToBeQuantised) {
  ASSERT_EQ(run(kQuantised + " --backend cpu --json"), 0) << err_;
  const auto cpu = nlohmann::json::parse(out_)["backends"][0];
  ASSERT_EQ(cpu["slowest"].size(), 5u);
  for (const auto& layer : cpu["slowest"])
    EXPECT_THAT(layer["remedy"].get<std::string>(), Not(HasSubstr("sluice quantize makes it integer")));
}

TEST_F(ProfileProgram, AProfileThatIsCutOffSaysThatThereIsNoRoom) {
  {
    const sluice::testing::FileLimit full(8192);  // inherited; the answer needs less
    ASSERT_EQ(run(kModel + " --backend cpu"), 0) << err_;
  }
  EXPECT_THAT(out_, HasSubstr("no layer times of cpu: there is no room for the profile in the folder for "
                              "temporary files (TMPDIR)"));
}

TEST_F(ProfileProgram, AScenarioCanBeShortenedAndSaysSo) {
  ASSERT_EQ(run(kModel + " --backend cpu --scenario offline --duration 300ms"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("only 0.3 s, MLPerf Mobile wants at least 60: no valid result"));
  ASSERT_EQ(run(kModel + " --backend cpu --scenario single_stream --duration 300ms --json"), 0) << err_;
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["scenario"], "single_stream");
  EXPECT_EQ(json["shortened"], true);
  EXPECT_GE(json["backends"][0]["seconds"], 0.3);
}

#if defined(__x86_64__)
TEST_F(ProfileProgram, AllBackendsSideBySide) {
  ASSERT_EQ(run(kQuantised + " --backend all --duration 200ms --json"), 0) << err_;
  const auto json = nlohmann::json::parse(out_);
  int seen = 0;
  for (const auto& backend : json["backends"]) {
    EXPECT_NE(backend["backend"], "fake");
    if (!backend["available"]) {
      EXPECT_FALSE(backend["reason"].get<std::string>().empty());
      continue;
    }
    ++seen;
    expect_figures(backend);
    EXPECT_EQ(backend["simulated"], backend["backend"] == "htp");
    if (backend["backend"] == "gpu") expect_own_operators(backend);
    if (backend["backend"] != "htp") continue;
    // The provider's own profile: cycles per operator, with the operator's type from the model.
    ASSERT_EQ(backend["slowest"].size(), 5u) << backend["layers_reason"];
    EXPECT_GT(backend["slowest"][0]["cycles"], 0.0);
    // Which of them leads is the machine's load; a convolution is always among them.
    const auto conv =
        std::ranges::find_if(backend["slowest"], [](const auto& o) { return o["operator"] == "Conv"; });
    ASSERT_NE(conv, backend["slowest"].end()) << backend["slowest"];
    EXPECT_THAT((*conv)["remedy"].get<std::string>(), HasSubstr("16-bit integers"));
  }
  EXPECT_GE(seen, 2);
}

// Chips of different classes count different cycles.
TEST_F(ProfileProgram, TheNpuCanBeAnotherChips) {
  std::vector<double> cycles;
  for (const std::string soc : {"sm8550", "qcs6490"}) {
    ASSERT_EQ(
        run(std::string(kQuantised).append(" --backend htp --duration 200ms --json --soc ").append(soc)), 0)
        << err_;
    const auto htp = nlohmann::json::parse(out_)["backends"][0];
    EXPECT_EQ(htp["soc"], soc);
    cycles.push_back(htp["slowest"][0]["cycles"]);
  }
  EXPECT_NE(cycles[0], cycles[1]);
}

TEST_F(ProfileProgram, AnOperatorThatTheBackendLacksIsNamedWithARemedy) {
  std::ofstream(at("split.onnx"), std::ios::binary) << sluice::testing::ModelBuilder()
                                                           .input("x", {1, 8})
                                                           .output("y", {1, 8})
                                                           .node("Relu", {"x"}, {"r"})
                                                           .node("Shrink", {"r"}, {"s"})
                                                           .node("Relu", {"s"}, {"y"})
                                                           .bytes();
  ASSERT_EQ(run(at("split.onnx") + " --backend htp --duration 100ms"), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("htp takes 2 of 3 operators, 1 run on cpu:"));
  EXPECT_THAT(out_, HasSubstr("Shrink"));
  EXPECT_THAT(out_, HasSubstr("an unsupported operator splits the graph"));
}

// A Mish is written out in other operators, and the provider is asked for all of them again.
TEST_F(ProfileProgram, AReasonThatTheProviderGivesTwiceIsSaidOnce) {
  std::ofstream(at("twice.onnx"), std::ios::binary) << sluice::testing::ModelBuilder()
                                                           .input("x", {1, 8})
                                                           .output("y", {1, 8})
                                                           .node("Shrink", {"x"}, {"s"})
                                                           .node("Mish", {"s"}, {"y"})
                                                           .bytes();
  ASSERT_EQ(run(at("twice.onnx") + " --backend gpu --duration 50ms"), 0) << err_;
  EXPECT_NE(out_.find("'Shrink_s'"), std::string::npos) << out_;
  EXPECT_EQ(out_.find("'Shrink_s'"), out_.rfind("'Shrink_s'")) << out_;
}

TEST_F(ProfileProgram, ABackendThatTakesNothingIsNotMeasured) {
  std::ofstream(at("none.onnx"), std::ios::binary) << sluice::testing::ModelBuilder()
                                                          .input("x", {1, 8})
                                                          .output("y", {1, 8})
                                                          .node("Shrink", {"x"}, {"y"})
                                                          .bytes();
  for (const std::string backend : {"gpu", "htp"}) {
    EXPECT_EQ(run(at("none.onnx") + " --backend " + backend + " --duration 50ms"), 3);
    EXPECT_THAT(err_, HasSubstr("backend '" + backend + "' takes none of the 1 operators ("));
  }
}
#endif

// As Paddle writes them: the outputs' open dimensions have names of their own.
TEST_F(ProfileProgram, AShapeOfTheInputFixesTheOutputsToo) {
  std::ofstream(at("open.onnx"), std::ios::binary) << sluice::testing::ModelBuilder()
                                                          .input("x", {"D.0", 3, "D.1"})
                                                          .output("y", {"D.2", 3, "D.3"})
                                                          .node("Relu", {"x"}, {"y"})
                                                          .bytes();
  ASSERT_EQ(run(at("open.onnx") + " --backend cpu --duration 50ms"), 3);
  EXPECT_THAT(err_, HasSubstr("which must be fixed; give --shape INPUT=DIMS"));
  EXPECT_EQ(run(at("open.onnx") + " --backend cpu --duration 50ms --shape x=1x3x8"), 0) << err_;
}

TEST_F(ProfileProgram, SaysWhatCannotBeUsed) {
  EXPECT_EQ(run(kModel + " --backend npu"), 2);
  EXPECT_THAT(err_, HasSubstr("--backend is 'npu', allowed: all, "));
  EXPECT_EQ(run(kModel + " --backend htp --soc sm855"), 2);
  EXPECT_THAT(err_, HasSubstr("--soc is 'sm855'"));
  EXPECT_EQ(run(kModel + " --backend cpu --soc sm8550"), 2);
  EXPECT_THAT(err_, HasSubstr("--soc names a chip of backend 'htp'"));
  EXPECT_EQ(run("none.onnx --backend cpu"), 3);
  EXPECT_THAT(err_, HasSubstr("none.onnx"));
  EXPECT_EQ(run(kModel + " --backend cpu --scenario server"), 2);
  EXPECT_EQ(run(kModel + " --backend cpu --inputs none.npz"), 2);
  EXPECT_THAT(err_, HasSubstr("none.npz"));
}

}  // namespace
