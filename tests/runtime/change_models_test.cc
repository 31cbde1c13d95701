// Models that change while frames run: nothing is lost, repeated or reordered, and what does not fit is
// refused with the reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <mutex>

#include "inference/inference.h"
#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::HasSubstr;

// y = x or y = -x; a picture becomes x = pixel value + 1.
std::string model(const char* op, int size, std::int32_t element = onnx::kFloat) {
  const Dims dims = {1, 3, size, size};
  return ModelBuilder().input("x", dims, element).output("y", dims, element).node(op, {"x"}, {"y"}).bytes();
}

// What one frame left at the sink.
struct Seen {
  std::uint64_t frame;
  float value;
  std::int64_t size;
};

class ChangeModels : public ::testing::Test {
 protected:
  ChangeModels() {
    same_ = folder_.write("same.onnx", model("Identity", 4));
    negative_ = folder_.write("negative.onnx", model("Neg", 4));
    folder_.write("small.onnx", model("Neg", 2));
  }

  Status start(const std::string& models, const std::string& infer_options = "",
               const RunOptions& options = {}) {
    const std::string text =
        "version: 1\nname: t\nmodels: {m: " + models +
        "}\nnodes:\n"
        "  - {id: src, type: app_source, options: {width: 8, height: 8, format: gray, live: false}}\n"
        "  - {id: pre, type: preprocess, inputs: src, options: {model: m, mean: -1}}\n"
        "  - {id: net, type: infer, inputs: pre, options: {model: m" +
        infer_options + "}}\n  - {id: out, type: app_sink, inputs: net}\n";
    auto loaded = Pipeline::load(text, builtin_registry());
    if (!loaded.ok()) return loaded.status();
    pipeline_.emplace(std::move(loaded).value());
    SLUICE_RETURN_IF_ERROR(pipeline_->app_sink("out").on_packet([this](const Packet& packet) {
      const auto* tensor = packet.get<Tensor>();
      std::lock_guard lock(mutex_);
      seen_.push_back(
          {packet.frame().number, *reinterpret_cast<const float*>(tensor->data), tensor->type->shape[3]});
    }));
    return pipeline_->start(options);
  }
  std::string path(const std::string& file) const { return "{path: " + file + "}"; }

  // Frame n has pixels of value n % 256.
  void push(int frames) {
    std::array<std::uint8_t, 64> pixels{};
    for (int i = 0; i < frames; ++i) {
      pixels.fill(static_cast<std::uint8_t>(pushed_++ % 256));
      Frame frame{.format = PixelFormat::kGray, .width = 8, .height = 8};
      frame.planes[0] = pixels.data();
      frame.strides[0] = 8;
      ASSERT_TRUE(pipeline_->app_source("src").push(frame).ok());
    }
  }
  // Ends the run; what came out is every frame, once and in order, each of one model or the other.
  std::vector<Seen> finish() {
    pipeline_->app_source("src").close();
    const Status status = pipeline_->wait();
    EXPECT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(seen_.size(), pushed_);
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      EXPECT_EQ(seen_[i].frame, i);
      EXPECT_EQ(std::abs(seen_[i].value), static_cast<float>(i % 256 + 1)) << i;
    }
    return seen_;
  }
  InferenceReport report() { return pipeline_->report().inference.at(0); }

  ScratchFolder folder_;
  std::string same_, negative_;
  std::optional<Pipeline> pipeline_;
  std::mutex mutex_;
  std::vector<Seen> seen_;
  std::size_t pushed_ = 0;
};

TEST_F(ChangeModels, FramesAfterTheCallRunOnTheNewFile) {
  ASSERT_TRUE(start(path(same_)).ok());
  push(100);
  const Status status = pipeline_->replace_model("m", negative_);
  ASSERT_TRUE(status.ok()) << status.message();
  push(100);
  ASSERT_TRUE(pipeline_->replace_model("m", same_).ok());
  push(50);
  const std::vector<Seen> seen = finish();
  EXPECT_GT(seen[0].value, 0);
  for (std::size_t i = 200; i < 250; ++i) EXPECT_GT(seen[i].value, 0) << i;
  // Frames that were on their way may run on either, but none on the old file behind one on the new.
  std::vector<std::size_t> changes;
  for (std::size_t i = 1; i < seen.size(); ++i)
    if ((seen[i].value < 0) != (seen[i - 1].value < 0)) changes.push_back(i);
  ASSERT_FALSE(changes.empty());
  EXPECT_LE(changes.size(), 2u) << ::testing::PrintToString(changes);
  ASSERT_EQ(report().decisions.size(), 3u);
  EXPECT_THAT(report().decisions[1].reason, HasSubstr("replace_model: '" + negative_ + "'; policy fixed"));
  EXPECT_EQ(report().backend, "cpu");
}

TEST_F(ChangeModels, WhatDoesNotFitIsRefusedAndTheOldModelGoesOn) {
  ASSERT_TRUE(start(path(same_)).ok());
  push(5);
  const auto refused = [&](const std::string& file, Code code, const std::string& words) {
    const Status status = pipeline_->replace_model("m", file);
    EXPECT_EQ(status.code(), code) << status.message();
    EXPECT_THAT(status.message(), HasSubstr(words));
    EXPECT_THAT(status.message(), HasSubstr("node 'net': "));
  };
  const Dims dims = {1, 3, 4, 4};
  refused(folder_ / "small.onnx", Code::kInvalid,
          "'x' of the model is float32 1x3x2x2 nchw, the plan has float32 1x3x4x4 nchw");
  refused(folder_.write("half.onnx", model("Identity", 4, onnx::kHalf)), Code::kInvalid,
          "'x' of the model is float16 1x3x4x4 nchw, the plan has float32");
  refused(folder_.write("name.onnx",
                        ModelBuilder().input("x", dims).output("z", dims).node("Neg", {"x"}, {"z"}).bytes()),
          Code::kInvalid, "the plan has no output 'z' of the model");
  refused(folder_.write("two.onnx", ModelBuilder()
                                        .input("x", dims)
                                        .output("y", dims)
                                        .output("z", dims)
                                        .node("Neg", {"x"}, {"y"})
                                        .node("Neg", {"x"}, {"z"})
                                        .bytes()),
          Code::kInvalid, "the model has 1 inputs and 2 outputs, the plan has 1 and 1");
  refused(folder_ / "none.onnx", Code::kUnavailable, "none.onnx");
  refused(folder_.write("broken.onnx", "no model"), Code::kUnavailable, "broken.onnx");
  push(5);
  for (const Seen& s : finish()) EXPECT_GT(s.value, 0);
  EXPECT_EQ(report().decisions.size(), 1u);
}

TEST_F(ChangeModels, NamesAndMomentsThatMakeNoSense) {
  ASSERT_TRUE(start("{path: " + same_ + ", variants: {small: " + (folder_ / "small.onnx") + "}}").ok());
  Status status = pipeline_->replace_model("n", negative_);
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_EQ(status.message(), "there is no model 'n', allowed: m");
  status = pipeline_->use_variant("m", "smal");
  EXPECT_EQ(status.message(), "model 'm' has no variant 'smal', allowed: small; did you mean 'small'?");
  status = pipeline_->use_variant("m", "small");
  EXPECT_EQ(status.code(), Code::kInvalid);
  EXPECT_THAT(status.message(), HasSubstr("model 'm' has one route for all frames"));
  push(1);
  finish();
  status = pipeline_->replace_model("m", negative_);
  EXPECT_EQ(status.message(), "models are replaced while the pipeline runs");
}

// The selector measures and chooses before the first frame, without a lock.
TEST_F(ChangeModels, NothingChangesBeforeTheFirstFrame) {
  RunOptions options;
  std::vector<Status> answers;
  std::optional<RunReport> report;
  options.record = [&](const std::string&) {
    if (report) return;  // later lines
    answers.push_back(pipeline_->replace_model("m", negative_));
    answers.push_back(pipeline_->use_variant("m", "small"));
    answers.push_back(pipeline_->set("net", "rate_hz", "1"));
    report = pipeline_->report();
  };
  ASSERT_TRUE(start("{path: " + same_ + ", variants: {small: " + (folder_ / "small.onnx") + "}}",
                    ", policy: balanced", options)
                  .ok());
  ASSERT_EQ(answers.size(), 3u);
  EXPECT_EQ(answers[0].message(), "models are replaced while the pipeline runs");
  EXPECT_EQ(answers[1].message(), "variants are chosen while the pipeline runs");
  EXPECT_EQ(answers[2].message(), "options are set while the pipeline runs");
  for (const Status& answer : answers) EXPECT_EQ(answer.code(), Code::kInvalid);
  EXPECT_EQ(report->sources[0].produced, 0u);
  EXPECT_TRUE(pipeline_->replace_model("m", negative_).ok());
  push(3);
  finish();
}

TEST_F(ChangeModels, EachFrameKeepsTheVariantItStartedOn) {
  ASSERT_TRUE(start("{path: " + same_ + ", variants: {small: " + (folder_ / "small.onnx") + "}}",
                    ", policy: balanced")
                  .ok());
  push(100);
  const Status status = pipeline_->use_variant("m", "small");
  ASSERT_TRUE(status.ok()) << status.message();
  push(100);
  ASSERT_TRUE(pipeline_->use_variant("m", "").ok());
  push(100);
  const std::vector<Seen> seen = finish();
  for (const Seen& s : seen) EXPECT_EQ(s.size, s.value < 0 ? 2 : 4) << "of frame " << s.frame;
  for (std::size_t i = 200; i < 300; ++i) EXPECT_EQ(seen[i].size, 4) << i;
  EXPECT_EQ(report().decisions.at(1).variant, "small");
  EXPECT_THAT(report().decisions.at(1).reason, HasSubstr("use_variant"));
  EXPECT_EQ(report().variant, "");
}

// A run goes on for days.
TEST_F(ChangeModels, FillsNoMemoryWithDecisions) {
  ASSERT_TRUE(start("{path: " + same_ + ", variants: {small: " + (folder_ / "small.onnx") + "}}",
                    ", policy: balanced")
                  .ok());
  const std::string begun_on = report().decisions.at(0).reason;
  constexpr std::size_t kChanges = InferenceEntry::kMostDecisions + 4;
  for (std::size_t i = 0; i < kChanges; ++i)
    ASSERT_TRUE(pipeline_->use_variant("m", i % 2 == 0 ? "small" : "").ok());
  push(1);
  finish();
  const InferenceReport now = report();
  ASSERT_EQ(now.decisions.size(), InferenceEntry::kMostDecisions);
  EXPECT_EQ(now.decisions_left_out, kChanges + 1 - InferenceEntry::kMostDecisions);
  EXPECT_EQ(now.decisions.front().reason, begun_on);
  EXPECT_EQ(now.decisions.back().variant, "");
  EXPECT_THAT(to_json(pipeline_->report()), HasSubstr("\"decisions_left_out\": 5"));
}

// A variant's own route stays what it is when the model's path changes, and the other way round.
TEST_F(ChangeModels, AReplacedModelLeavesItsVariantsAlone) {
  ASSERT_TRUE(start("{path: " + same_ + ", variants: {small: " + (folder_ / "small.onnx") + "}}",
                    ", policy: balanced")
                  .ok());
  ASSERT_TRUE(pipeline_->use_variant("m", "small").ok());
  ASSERT_TRUE(pipeline_->replace_model("m", negative_).ok());
  push(10);
  EXPECT_EQ(report().variant, "small");
  EXPECT_EQ(report().decisions.back().variant, "small");
  EXPECT_THAT(report().decisions.back().reason,
              HasSubstr("replace_model: '" + negative_ + "', for frames that do not take variant 'small'; "));
  ASSERT_TRUE(pipeline_->use_variant("m", "").ok());
  push(20);
  const std::vector<Seen> seen = finish();
  EXPECT_EQ(seen[0].size, 2);
  EXPECT_EQ(seen[29].size, 4);
  EXPECT_LT(seen[29].value, 0);
}

}  // namespace
}  // namespace sluice
