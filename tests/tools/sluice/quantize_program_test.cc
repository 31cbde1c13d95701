// `sluice quantize` and `sluice compare` as users see them, on the real BlazeFace 128.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <vector>

#include "tools/sluice/ranges_file.h"

namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const std::string kModel = "data/models/face_detection_front_128x128.onnx";
const std::string kPreprocess = "pipelines/face_fast.yaml#pre";

std::string read(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

class QuantizeProgram : public ::testing::Test {
 protected:
  QuantizeProgram() : folder_(fs::path(::testing::TempDir()) / ("quantize_" + std::to_string(::getpid()))) {
    fs::create_directories(folder_ / "empty");
    fs::create_directories(folder_ / "pictures");
    int copied = 0;
    for (const auto& entry : fs::directory_iterator("data/dlib-faces")) {
      if (entry.path().extension() == ".jpg" && copied < 6) {
        fs::copy_file(entry.path(), folder_ / "pictures" / entry.path().filename());
        ++copied;
      }
    }
  }
  ~QuantizeProgram() override { fs::remove_all(folder_); }

  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  int run(const std::string& arguments) {
    const std::string line = std::string(SLUICE_PROGRAM) + " " + arguments + " > " + at("out") + " 2> " +
                             at("err") + " < /dev/null";
    const int status = std::system(line.c_str());
    out_ = read(at("out"));
    err_ = read(at("err"));
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int quantize(const std::string& more, const std::string& data = "") {
    return run("quantize " + kModel + " --data " + (data.empty() ? at("pictures") : data) + " -o " +
               at("q.onnx") + " " + more);
  }

  fs::path folder_;
  std::string out_, err_;
};

TEST_F(QuantizeProgram, QuantisesComparesAndRemembersItsPreprocessing) {
  ASSERT_EQ(quantize("--scheme w8a16 --preprocess " + kPreprocess), 0) << err_;
  EXPECT_THAT(out_, HasSubstr("w8a16, 76 of 76 operators quantised, 6 samples"));
  EXPECT_EQ(err_, "");
  // The face frames of the video, prepared as the model notes.
  ASSERT_EQ(run("compare " + at("q.onnx") + " --backend cpu --reference-model " + kModel +
                " --reference cpu --data " + at("pictures") + " --json --layers --min-snr 15"),
            0)
      << err_;
  EXPECT_THAT(err_, HasSubstr("pictures are prepared as the model notes: {\"fit\":\"letterbox\""));
  const auto json = nlohmann::json::parse(out_);
  EXPECT_EQ(json["outputs"].size(), 4u);
  EXPECT_EQ(json["samples"], 6);
  EXPECT_GT(json["outputs"][0]["snr_db"], 15.0);
  EXPECT_GT(json["outputs"][0]["cosine"], 0.98);
  EXPECT_GT(json["layers"].size(), 30u);
  EXPECT_TRUE(json.contains("first_wrong_layer"));
  // An unreachable demand.
  EXPECT_EQ(run("compare " + at("q.onnx") + " --backend cpu --reference-model " + kModel + " --data " +
                at("pictures") + " --min-snr 150"),
            4);
  EXPECT_THAT(err_, HasSubstr("demanded: at least 150.00"));
}

TEST_F(QuantizeProgram, LayersThatEqualisingScaledAreNotTakenForWrongOnes) {
  ASSERT_EQ(quantize("--scheme w8a16 --equalize --preprocess " + kPreprocess), 0) << err_;
  ASSERT_EQ(run("compare " + at("q.onnx") + " --backend cpu --reference-model " + kModel + " --data " +
                at("pictures") + " --layers --json"),
            0)
      << err_;
  EXPECT_EQ(nlohmann::json::parse(out_)["first_wrong_layer"], nullptr) << out_;
  EXPECT_THAT(err_, HasSubstr("16 layers hold other numbers than the reference's, since --equalize scaled"));
}

TEST_F(QuantizeProgram, AModelAgainstItselfIsIdentical) {
  ASSERT_EQ(run("compare " + kModel + " --backend cpu --reference cpu --data " + at("pictures") +
                " --preprocess " + kPreprocess + " --json --max-mse 0"),
            0)
      << err_;
  for (const auto& output : nlohmann::json::parse(out_)["outputs"]) {
    EXPECT_EQ(output["mse"], 0.0);
    EXPECT_EQ(output["max_abs"], 0.0);
    EXPECT_EQ(output["snr_db"], 200.0);
  }
}

TEST_F(QuantizeProgram, AnExistingFileIsReplacedOnlyOnDemand) {
  std::ofstream(at("q.onnx")) << "mine";
  EXPECT_EQ(quantize("--preprocess " + kPreprocess), 1);
  EXPECT_EQ(err_, "sluice: error: '" + at("q.onnx") + "' exists; write --force to replace it\n");
  EXPECT_EQ(read(at("q.onnx")), "mine");
  EXPECT_EQ(quantize("--force --preprocess " + kPreprocess), 0) << err_;
  EXPECT_NE(read(at("q.onnx")), "mine");
}

TEST_F(QuantizeProgram, WithoutPreprocessingItSaysWhatItAssumes) {
  EXPECT_EQ(quantize(""), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("warning: without --preprocess pictures are stretched"));
}

// A run's values, per tensor of the model, whatever backend and type it has there.
TEST_F(QuantizeProgram, ARunCollectsRangesThatJoinTheSamples) {
  const std::string collect =
      "run pipelines/face_fast.yaml --frames 3 --quiet --set out.path=" + at("lines") +
      " --set out.overwrite=true --collect-ranges " + at("ranges.json");
  ASSERT_EQ(run(collect), 0) << err_;
  const auto ranges = nlohmann::json::parse(read(at("ranges.json")))["ranges"];
  ASSERT_EQ(ranges.size(), 5u);  // one input, four outputs
  for (const auto& range : ranges) {
    EXPECT_EQ(range["model"], "face");
    if (range["tensor"] != "input:0") continue;
    EXPECT_EQ(range["count"], 3 * 128 * 128 * 3);
    EXPECT_GE(range["min"], -1.0);
    EXPECT_LE(range["max"], 1.0);
  }
  // The quantised model's integers are the same numbers.
  ASSERT_EQ(
      run("run pipelines/face_fast_htp.yaml --frames 3 --quiet --set 'face.backends=[cpu]' --set out.path=" +
          at("lines") + " --set out.overwrite=true --collect-ranges " + at("w8a16.json")),
      0)
      << err_;
  const auto integers = nlohmann::json::parse(read(at("w8a16.json")))["ranges"];
  ASSERT_EQ(integers.size(), 5u);
  const auto input = [](const nlohmann::json& list) {
    for (const auto& range : list)
      if (range["tensor"] == "input:0") return range;
    return nlohmann::json();
  };
  EXPECT_NEAR(input(integers)["max"].get<double>(), input(ranges)["max"].get<double>(), 1e-3);
  EXPECT_EQ(input(integers)["count"], input(ranges)["count"]);
  ASSERT_EQ(quantize("--preprocess " + kPreprocess + " --ranges " + at("ranges.json") + " --ranges " +
                     at("w8a16.json") + "#face"),
            0)
      << err_;
  EXPECT_THAT(err_, HasSubstr("values of 5 tensors from the field were added"));
}

TEST_F(QuantizeProgram, FieldValuesWidenWhatTheSamplesShow) {
  sluice::TensorRange field{"face", "Identity:0", {}};
  const std::vector<float> far = {1000.0f, -1000.0f};
  field.values.add(far);
  std::ofstream(at("field.json")) << sluice::cli::ranges_json({field});
  ASSERT_EQ(quantize("--preprocess " + kPreprocess + " --ranges " + at("field.json") + " --write-encodings " +
                     at("e.json")),
            0)
      << err_;
  double width = 0;
  const auto encodings = nlohmann::json::parse(read(at("e.json")));
  for (const auto& entry : encodings["activation_encodings"])
    if (entry["name"] == "Identity:0") width = entry["scale"][0].get<double>() * 255;
  EXPECT_GE(width, 1999.0);
}

TEST_F(QuantizeProgram, RangesThatDoNotFit) {
  sluice::TensorRange one{"face", "nothing", {}}, two{"pose", "nothing", {}};
  one.values.add(std::vector<float>{1.0f});
  const auto with = [&](const std::string& name) {
    return quantize("--force --preprocess " + kPreprocess + " --ranges " + name);
  };
  std::ofstream(at("a.json")) << sluice::cli::ranges_json({one});
  EXPECT_EQ(with(at("a.json")), 2);
  EXPECT_THAT(err_, HasSubstr("this one has no float tensor 'nothing'"));
  std::ofstream(at("b.json")) << sluice::cli::ranges_json({one, two});
  EXPECT_EQ(with(at("b.json")), 2);
  EXPECT_THAT(err_, HasSubstr("holds several models, write FILE#MODEL with one of face, pose"));
  EXPECT_EQ(with(at("b.json") + "#fase"), 2);
  EXPECT_THAT(err_, HasSubstr("model is 'fase', allowed: face, pose; did you mean 'face'?"));
  std::ofstream(at("c.json")) << R"({"version": 1, "ranges": [{"model": "face"}]})";
  EXPECT_EQ(with(at("c.json")), 2);
  EXPECT_THAT(err_, HasSubstr("is no file of --collect-ranges"));
  EXPECT_EQ(with(at("none.json")), 2);
  EXPECT_THAT(err_, HasSubstr("cannot be read: No such file or directory"));
}

TEST_F(QuantizeProgram, WhatCannotBeWrittenIsSaidBeforeTheWork) {
  fs::create_directories(at("q.onnx"));
  EXPECT_EQ(quantize("--force --preprocess " + kPreprocess), 1);
  EXPECT_EQ(err_, "sluice: error: -o: '" + at("q.onnx") + "' cannot be written: Is a directory\n");
  fs::remove(at("q.onnx"));
  EXPECT_EQ(quantize("--write-encodings " + at("none/e.json")), 2);
  EXPECT_EQ(err_, "sluice: error: --write-encodings '" + at("none/e.json") + "': there is no folder '" +
                      at("none") + "'\n");
}

TEST_F(QuantizeProgram, AMissedTargetIsNamedWithWhatWasReached) {
  EXPECT_EQ(quantize("--min-snr 150 --max-mse 0.5 --preprocess " + kPreprocess), 4);
  EXPECT_THAT(err_, HasSubstr("error: the worst output has SNR "));
  EXPECT_THAT(err_, HasSubstr(" dB, --min-snr demands at least 150; MSE "));
  EXPECT_THAT(err_, HasSubstr(", --max-mse demands at most 0.5\n"));
}

TEST_F(QuantizeProgram, CalibrationDataThatCannotBeUsed) {
  EXPECT_NE(quantize("--preprocess " + kPreprocess, at("empty")), 0);
  EXPECT_THAT(err_, HasSubstr("error: --data: folder '" + at("empty") + "' holds no picture"));
  EXPECT_THAT(err_, HasSubstr("its subfolders are not looked into"));
  EXPECT_FALSE(fs::exists(at("q.onnx")));
  EXPECT_EQ(quantize("--preprocess " + kPreprocess, at("none")), 2);
  EXPECT_THAT(err_, HasSubstr("cannot be read: No such file or directory"));
  EXPECT_EQ(quantize("--preprocess pipelines/face_fast.yaml#boxes"), 2);
  EXPECT_THAT(err_, HasSubstr("node 'boxes' is a detect, not a preprocess; there: pre"));
  EXPECT_EQ(quantize("--preprocess pipelines/face_fast.yaml"), 2);
  EXPECT_THAT(err_, HasSubstr("wanted: PIPELINE.yaml#NODE"));
}

TEST_F(QuantizeProgram, BrokenPicturesAreLeftOutAndCounted) {
  for (const char* name : {"broken.jpg", "empty.png"})
    std::ofstream(at("pictures/" + std::string(name))) << "x";
  EXPECT_EQ(quantize("--preprocess " + kPreprocess), 0) << err_;
  EXPECT_THAT(err_, HasSubstr("warning: 2 pictures could not be read and were left out"));
  EXPECT_THAT(out_, HasSubstr("6 samples"));
}

TEST_F(QuantizeProgram, AQuantisedModelIsRefused) {
  ASSERT_EQ(quantize("--preprocess " + kPreprocess), 0) << err_;
  fs::rename(at("q.onnx"), at("first.onnx"));
  EXPECT_EQ(run("quantize " + at("first.onnx") + " --data " + at("pictures") + " -o " + at("q.onnx")), 3);
  EXPECT_THAT(err_, HasSubstr("the model is quantised already"));
}

// It runs a copy of the model, whose name nobody knows.
TEST_F(QuantizeProgram, CompareNamesTheModelThatABackendRefuses) {
  const std::string model = "data/onnx-testdata/node/test_shrink_hard/model.onnx";
  EXPECT_EQ(run("compare " + model + " --backend htp --reference cpu --data " + at("pictures")), 3);
  EXPECT_THAT(err_, HasSubstr("model '" + model + "': backend 'htp'"));
  EXPECT_THAT(err_, ::testing::Not(HasSubstr("sluice-compare")));
}

TEST_F(QuantizeProgram, WrongUse) {
  EXPECT_EQ(quantize("--scheme w4a4"), 2);
  EXPECT_EQ(quantize("--shape input:0=axb"), 2);
  EXPECT_THAT(err_, HasSubstr("'input:0=axb' is no NAME=DIMS"));
  EXPECT_EQ(quantize("--shape nothing=1x3"), 2);
  EXPECT_THAT(err_, HasSubstr("--shape names 'nothing', the model's inputs are: input:0"));
  EXPECT_EQ(quantize("--max-mse -1"), 2);
  EXPECT_THAT(err_, HasSubstr("--max-mse: '-1' is below 0"));
  EXPECT_EQ(quantize("--scheme mixed"), 2);
  EXPECT_THAT(err_, HasSubstr("scheme mixed needs --max-mse or --min-snr"));
  EXPECT_EQ(run("compare " + kModel + " --backend dsp --data " + at("pictures")), 2);
  EXPECT_THAT(err_, HasSubstr("--backend is 'dsp', allowed: "));
}

}  // namespace
