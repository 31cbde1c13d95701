// What a quantised input cuts off stands in the report, whoever quantises, and is warned of once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// x [1,3,4,4], in steps of `scale` from 0 up -> Relu -> y.
std::string quantised_model(float scale) {
  return ModelBuilder()
      .input("x", {1, 3, 4, 4})
      .output("y", {1, 3, 4, 4})
      .scale("s", scale)
      .weight(tensor<std::uint8_t>("z", onnx::kUint8, {}, {0}))
      .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
      .node("DequantizeLinear", {"q", "s", "z"}, {"d"})
      .node("Relu", {"d"}, {"y"})
      .bytes();
}

constexpr float kWhole = 1.0f / 255;  // holds 0..1
constexpr float kHalf = 0.5f / 255;   // holds 0..0.5

class Saturation : public ::testing::Test {
 protected:
  // Pictures of 8x`height` pixels, the left half of which is `left`, the right half white.
  InferenceReport run(const std::string& nodes, std::uint8_t left, int height = 8, int frames = 20) {
    auto loaded =
        Pipeline::load("version: 1\nname: t\nmodels: {m: {path: " + (folder_ / "m.onnx") +
                           "}}\nnodes:\n  - {id: src, type: app_source, options: {width: 8, height: " +
                           std::to_string(height) + ", format: gray, live: false}}\n" + nodes +
                           "  - {id: out, type: app_sink, inputs: net}\n",
                       builtin_registry());
    EXPECT_TRUE(loaded.ok()) << loaded.status().message();
    Pipeline pipeline = std::move(loaded).value();
    EXPECT_TRUE(pipeline.app_sink("out").on_packet([](const Packet&) {}).ok());
    EXPECT_TRUE(pipeline.start().ok());
    std::vector<std::uint8_t> pixels(static_cast<std::size_t>(8 * height), 255);
    for (std::size_t i = 0; i < pixels.size(); ++i)
      if (i % 8 < 4) pixels[i] = left;
    Frame frame{.format = PixelFormat::kGray, .width = 8, .height = height};
    frame.planes[0] = pixels.data();
    frame.strides[0] = 8;
    for (int i = 0; i < frames; ++i) EXPECT_TRUE(pipeline.app_source("src").push(frame).ok());
    pipeline.app_source("src").close();
    const Status status = pipeline.wait();
    EXPECT_TRUE(status.ok()) << status.message();
    return pipeline.report().inference.at(0);
  }
  void write(const std::string& model) { folder_.write("m.onnx", model); }
  static std::string nodes(const std::string& options = "", bool explicitly = false) {
    const std::string pre = "  - {id: pre, type: preprocess, inputs: src, options: {" +
                            std::string(explicitly ? "width: 4, height: 4, dtype: float32" : "model: m") +
                            ", std: 255" + options + "}}\n";
    return pre + (explicitly ? "  - {id: q, type: quantize, inputs: pre}\n" : "") +
           "  - {id: net, type: infer, inputs: " + (explicitly ? "q" : "pre") + ", options: {model: m}}\n";
  }
  ScratchFolder folder_;
  LogCapture log_;
};

TEST_F(Saturation, BlackAndWhiteAtTheEndsOfTheRangeAreNoneAtAll) {
  write(quantised_model(kWhole));
  const InferenceReport report = run(nodes(), 0);
  EXPECT_DOUBLE_EQ(report.saturated_fraction.value(), 0);
  EXPECT_THAT(report.warnings, IsEmpty());
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(Saturation, WhatIsCutOffIsReportedAndWarnedOfOnce) {
  write(quantised_model(kHalf));
  const auto warned = AllOf(HasSubstr("node 'pre'"), HasSubstr("50.0 %"), HasSubstr("input 'x'"));
  const InferenceReport report = run(nodes(), 0);
  EXPECT_DOUBLE_EQ(report.saturated_fraction.value(), 0.5);
  EXPECT_THAT(report.warnings, ElementsAre(warned));
  EXPECT_THAT(log_.warnings(), ElementsAre(warned));
}

TEST_F(Saturation, AShortRunIsJudgedToo) {
  write(quantised_model(kHalf));
  EXPECT_DOUBLE_EQ(run(nodes(), 0, 8, 2).saturated_fraction.value(), 0.5);
  EXPECT_EQ(log_.warnings().size(), 1u);
}

TEST_F(Saturation, AQuantizeNodeCountsTheSame) {
  write(quantised_model(kHalf));
  EXPECT_DOUBLE_EQ(run(nodes("", true), 0).saturated_fraction.value(), 0.5);
  EXPECT_THAT(log_.warnings(), ElementsAre(AllOf(HasSubstr("node 'q'"), HasSubstr("50.0 %"))));
}

// Black bars lie outside what this model holds, the picture does not.
TEST_F(Saturation, BarsOfALetterboxedPictureRaiseNoAlarm) {
  write(quantised_model(kWhole));
  const InferenceReport report = run(nodes(", mean: 20, fit: letterbox"), 40, 4);
  EXPECT_DOUBLE_EQ(report.saturated_fraction.value(), 0);
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(Saturation, AFloatModelHasNone) {
  write(relu_model({1, 3, 4, 4}).bytes());
  EXPECT_FALSE(run(nodes(), 0).saturated_fraction);
}

}  // namespace
}  // namespace sluice
