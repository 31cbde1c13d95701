// The selector in real runs: what it chooses, when it leaves it, and that every frame runs on what was chosen
// for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "backends/backends.h"
#include "backends/fake/fake_backend.h"
#include "nodes/app_ends.h"
#include "runtime/builtin.h"
#include "runtime/engine.h"
#include "runtime/selected_nodes.h"
#include "tests/backends/log_capture.h"
#include "tests/runtime/selected_run.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// Issue 6: over 10,000 frames and 500 switches between variants of different types every stamp equals the
// frame's choice, and no frame is lost, repeated or reordered.
TEST_F(SelectedRun, EveryStampEqualsTheFramesChoice) {
  start(variant("small") + ", " + variant("bytes"),
        "backends: [fake], policy: balanced, fake: {latency_ms: 0}");
  const std::array<std::string, 3> variants = {"", "small", "bytes"};
  const std::array<std::string, 3> types = {"float32 1x3x4x4", "float32 1x3x2x2", "uint8 1x3x4x4"};
  for (std::size_t block = 0; block < 501; ++block) {
    const Status status = engine_->use_variant("m", variants[block * 7 % 3]);
    ASSERT_TRUE(status.ok()) << status.message();
    for (int i = 0; i < 20; ++i) push();
  }
  const RunReport report = finish();
  ASSERT_TRUE(status_.ok()) << status_.message();
  ASSERT_EQ(pushed_, 10'020u);
  ASSERT_EQ(seen_.size(), pushed_);
  std::map<std::string, std::uint64_t> generations;
  std::size_t changes = 0;
  for (std::size_t i = 0; i < seen_.size(); ++i) {
    const Seen& s = seen_[i];
    ASSERT_EQ(s.frame, i);
    const auto type = std::ranges::find(types, s.type);
    ASSERT_NE(type, types.end()) << s.type;
    const std::string& chosen = variants[static_cast<std::size_t>(type - types.begin())];
    ASSERT_EQ(s.stamp.variant, fake_variant_hash(chosen) % FakeStamp::kModulus) << i;
    ASSERT_EQ(generations.emplace(chosen, s.stamp.generation).first->second, s.stamp.generation) << i;
    changes += i > 0 && s.type != seen_[i - 1].type;
  }
  EXPECT_EQ(generations.size(), 3u);
  // Frames in flight keep their route, so each switch shows once; the first may come before any frame.
  EXPECT_GE(changes, 490u);
  EXPECT_LE(changes, 501u);
  EXPECT_EQ(report.inference.at(0).decisions.size(), 502u);
}

TEST_F(SelectedRun, MeasuresAtTheStartAndTakesTheFastest) {
  start("", "backends: [fake, cpu], policy: latency, fake: {latency_ms: 20}");
  EXPECT_TRUE(runs_on("cpu"));
  push();
  const RunReport report = finish();
  const InferenceReport& net = report.inference.at(0);
  ASSERT_EQ(net.decisions.size(), 1u);
  EXPECT_EQ(net.decisions[0].at_s, 0);
  const std::string measured = "policy latency: the first choice; predicted: fake ";
  ASSERT_THAT(net.decisions[0].reason, HasSubstr(measured));
  const double fps =
      std::stod(net.decisions[0].reason.substr(net.decisions[0].reason.find(measured) + measured.size()));
  EXPECT_GT(fps, 0);
  EXPECT_LE(fps, 1000.0 / 20) << "a run of the fake takes 20 ms, or longer on a busy machine";
  EXPECT_THAT(net.warnings, Not(Contains(HasSubstr("temperatures"))));
  EXPECT_FALSE(on_fake_);
}

TEST_F(SelectedRun, WhatTheWarmUpMeasuredIsKept) {
  EXPECT_EQ(runs_of_warm_up(), 6u);
  EXPECT_EQ(runs_of_warm_up(), 4u) << "one to wake it up and three to compare";
  const std::filesystem::path folder(folder_ / "artifacts");
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    std::ofstream(entry.path(), std::ios::app) << "damage";
  const LogCapture log;
  EXPECT_EQ(runs_of_warm_up(), 6u);
  EXPECT_EQ(
      std::ranges::count_if(LogCapture::warnings(),
                            [](const std::string& line) { return line.find("is made again") != line.npos; }),
      1);
  EXPECT_EQ(runs_of_warm_up(), 4u);
}

// A variant of the same input size whose accuracy the file does not say.
TEST_F(SelectedRun, AccuracyThatIsNotWrittenIsMeasured) {
  folder_.write("exact.onnx", model(4, onnx::kFloat));
  folder_.write("wrong.onnx", model(4, onnx::kFloat, "Neg"));
  start(variant("exact") + ", " + variant("wrong") + ", " + variant("small"),
        "backends: [cpu], policy: latency, min_snr_db: 20");
  push();
  finish();
  const std::string why = inference().decisions.at(0).reason;
  EXPECT_THAT(why, HasSubstr("cpu, variant wrong below min_snr_db"));
  EXPECT_THAT(why, ::testing::ContainsRegex("cpu, variant exact [0-9.]+ fps"));
  EXPECT_THAT(why, ::testing::ContainsRegex("cpu, variant small [0-9.]+ fps")) << "of another input size";
  EXPECT_THAT(inference().warnings, Not(Contains(HasSubstr("min_snr_db"))));
}

TEST_F(SelectedRun, ABackendThatFailsIsLeftAtOnceAndComesBack) {
  start("", "backends: [fake, cpu], dwell_s: 0, fake: {latency_ms: 0, fail_at: [20]}");
  ASSERT_TRUE(runs_on("fake"));
  ASSERT_TRUE(push_until([this] { return runs_on("cpu"); }));
  EXPECT_THAT(inference().decisions.at(1).reason, HasSubstr("fake failed; failures of late: 1"));
  ASSERT_TRUE(push_until([this] { return runs_on("fake"); }));  // after the breaker's pause, and a probe
  const RunReport report = finish();
  EXPECT_TRUE(status_.ok()) << status_.message();
  ASSERT_EQ(report.inference.at(0).decisions.size(), 3u);
  EXPECT_THAT(report.inference.at(0).decisions[2].reason, HasSubstr("works again and stands before cpu"));
  EXPECT_EQ(report.sources.at(0).dropped[static_cast<std::size_t>(DropReason::kFailed)], 1u);
}

TEST_F(SelectedRun, ARunThatHangsIsGivenUpAndItsBackendLeft) {
  start("",
        "backends: [fake, cpu], policy: fixed, fake: {latency_ms: 0, hang_at: [9], run_timeout_ms: 1000}");
  ASSERT_TRUE(push_until([this] { return runs_on("cpu"); }));
  const RunReport report = finish();
  EXPECT_TRUE(status_.ok()) << status_.message();
  EXPECT_EQ(report.sources.at(0).dropped[static_cast<std::size_t>(DropReason::kTimeout)], 1u);
}

TEST_F(SelectedRun, ARunThatHangsStopsUnderOnErrorStop) {
  start("", "backends: [fake], fake: {latency_ms: 0, hang_at: [9], run_timeout_ms: 200}", "stop");
  while (try_push().ok()) continue;
  const RunReport report = finish();
  EXPECT_EQ(status_.code(), Code::kFailed);
  EXPECT_THAT(status_.message(), HasSubstr("took longer than 200 ms and was given up"));
  EXPECT_THAT(status_.message(), HasSubstr("the run stops (on_error)"));
  EXPECT_EQ(report.sources.at(0).dropped[static_cast<std::size_t>(DropReason::kTimeout)], 1u);
}

TEST_F(SelectedRun, ACandidateThatHangsWhileItIsMeasuredIsNotChosen) {
  start("",
        "backends: [fake, cpu], policy: latency, fake: {latency_ms: 0, hang_at: [0], run_timeout_ms: 1000}");
  EXPECT_TRUE(runs_on("cpu"));
  EXPECT_THAT(inference().warnings, Contains(HasSubstr("fake failed while it was measured")));
  push();
  finish();
}

// Neither hangs nor goes on for ever: thirty failures in a row end it, with all frames accounted for.
TEST_F(SelectedRun, WhenAllCandidatesFailTheRunEndsAndSaysWhy) {
  std::string all = "0";
  for (int run = 1; run < 200; ++run) all += ", " + std::to_string(run);
  start(variant("small"),
        "backends: [fake], policy: balanced, fake: {latency_ms: 0, fail_at: [" + all + "]}");
  EXPECT_THAT(inference().warnings, Contains(HasSubstr("fake failed while it was measured")));
  EXPECT_THAT(inference().warnings, Contains(HasSubstr("fake, variant small failed while it was measured")));
  for (int i = 0; i < 100 && try_push().ok(); ++i) continue;
  const RunReport report = finish();
  EXPECT_THAT(status_.message(), HasSubstr("told to fail in run"));
  EXPECT_EQ(report.status, RunStatus::kFailed);
  EXPECT_TRUE(seen_.empty());
  std::uint64_t lost = 0;
  for (const std::uint64_t count : report.sources.at(0).dropped) lost += count;
  EXPECT_EQ(report.sources.at(0).produced, lost);
  EXPECT_GE(report.sources.at(0).dropped[static_cast<std::size_t>(DropReason::kFailed)], 30u);
}

TEST_F(SelectedRun, TheLadderGoesDownWithHeat) {
  celsius_ = 40;
  start(variant("small"),
        "backends: [fake], dwell_s: 0.1, max_temperature_c: 60, "
        "degrade: [{variant: small}], fake: {latency_ms: 1}");
  EXPECT_EQ(inference().decisions.at(0).step, 0);
  // On a machine that is short of time the latencies may drift enough for the step before the heat comes.
  celsius_ = 90;
  ASSERT_TRUE(push_until([this] { return last_type() == "float32 1x3x2x2"; }));
  EXPECT_EQ(inference().decisions.at(1).step, 1);
  EXPECT_THAT(inference().decisions.at(1).reason, HasSubstr("degrade: step 1"));
  const RunReport report = finish();
  EXPECT_EQ(report.inference.at(0).decisions.at(1).step, 1);
  EXPECT_EQ(report.inference.at(0).variant, "small");
  EXPECT_EQ(seen_.size(), pushed_);
}

// Further modes are measured after every session has been.
TEST(WarmUpOrder, KnowsWhichCandidatesBeginASession) {
  std::vector<SelectorCandidate> all(5);
  all[0].backend = all[1].backend = all[2].backend = "htp";
  all[0].performance_mode = "burst";
  all[1].performance_mode = "balanced";
  all[2].variant = "small";
  all[3].backend = "gpu";
  all[4].backend = "cpu";
  std::vector<bool> begins;
  begins.reserve(all.size());
  for (std::size_t c = 0; c < all.size(); ++c) begins.push_back(begins_session(all, c));
  EXPECT_EQ(begins, (std::vector<bool>{true, false, true, true, true}));
}

TEST_F(SelectedRun, SaysOnceThatItKnowsNoTemperature) {
  start("", "backends: [fake], policy: sustained, fake: {latency_ms: 0}");
  push();
  const RunReport report = finish();
  EXPECT_THAT(report.inference.at(0).warnings,
              ::testing::ElementsAre(
                  "policy 'sustained' needs temperatures and no sensor gives one; latency drift alone "
                  "is used"));
}

TEST_F(SelectedRun, AReplacedModelIsWhatIsSwitchedTo) {
  start(variant("small"), "backends: [fake], policy: balanced, fake: {latency_ms: 0}");
  ASSERT_TRUE(engine_->use_variant("m", "small").ok());
  ASSERT_TRUE(engine_->replace_model("m", folder_.write("other.onnx", model(4, onnx::kFloat, "Neg"))).ok());
  ASSERT_TRUE(engine_->use_variant("m", "").ok());
  push();
  finish();
  EXPECT_TRUE(status_.ok()) << status_.message();
  EXPECT_EQ(seen_.at(0).stamp.generation, 3u);
}

// Opens everything but one file at once; that one it tells, and opens it when it is let.
class GatedBackend final : public Backend {
 public:
  struct Gate {
    std::string file;
    std::promise<void> asked;
    std::promise<void> let;
    std::atomic<int> opened{0};
  };
  GatedBackend(std::unique_ptr<Backend> real, Gate& gate) : real_(std::move(real)), gate_(gate) {}
  std::string_view name() const override { return real_->name(); }
  Status available() override { return real_->available(); }
  bool simulated() const override { return real_->simulated(); }
  std::string version() override { return real_->version(); }
  const std::vector<OptionDeclaration>& options() const override { return real_->options(); }
  Result<std::unique_ptr<Session>> open(const SessionRequest& request) override {
    if (request.model.path == gate_.file && gate_.opened++ == 0) {
      gate_.asked.set_value();
      gate_.let.get_future().wait();
    }
    return real_->open(request);
  }

 private:
  const std::unique_ptr<Backend> real_;
  Gate& gate_;
};

// While the new file is loaded for the backend that frames run on, that one fails and another is taken.
class ReplacedWhileItMoves : public SelectedRun {
 protected:
  void expect_it_runs_where_it_is_said_to(const std::string& options) {
    gate_.file = folder_.write("other.onnx", model(4, onnx::kFloat, "Neg"));
    make_backends_ = [this](Clock& clock) {
      std::vector<std::unique_ptr<Backend>> out;
      for (std::unique_ptr<Backend>& backend : make_backends(clock))
        out.push_back(std::make_unique<GatedBackend>(std::move(backend), gate_));
      return out;
    };
    start("", "backends: [fake, cpu], " + options);
    ASSERT_TRUE(runs_on("fake"));
    Status replaced;
    std::thread other([&] { replaced = engine_->replace_model("m", gate_.file); });
    gate_.asked.get_future().wait();
    const bool moved = push_until([this] { return runs_on("cpu"); });
    gate_.let.set_value();
    other.join();
    ASSERT_TRUE(moved);
    ASSERT_TRUE(replaced.ok()) << replaced.message();
    const std::uint64_t before = pushed_;
    ASSERT_TRUE(push_until([&] { return pushed_ >= before + 20; }));
    finish();
    EXPECT_TRUE(status_.ok()) << status_.message();
    EXPECT_EQ(gate_.opened, 2) << "once for each backend";
    EXPECT_THAT(engine_->report().inference.at(0).decisions.back().reason, HasSubstr("replace_model"));
    EXPECT_EQ(engine_->report().inference.at(0).decisions.back().backend, "cpu");
    EXPECT_FALSE(on_fake_) << "the last frame ran on the cpu";
  }
  GatedBackend::Gate gate_;
};

TEST_F(ReplacedWhileItMoves, ToASessionThatIsThere) {
  // With a ladder the session of the cpu is there from the start; the warm-up takes 101 runs at most.
  expect_it_runs_where_it_is_said_to(
      "dwell_s: 3600, degrade: [{rate_hz: 1000}], fake: {latency_ms: 0, fail_at: [150]}");
}

// Under policy fixed alone it is made when the first fails: it does not wait for the file that is loaded.
TEST_F(ReplacedWhileItMoves, ToASessionThatIsMadeThen) {
  expect_it_runs_where_it_is_said_to("fake: {latency_ms: 0, fail_at: [20]}");
}

}  // namespace
}  // namespace sluice
