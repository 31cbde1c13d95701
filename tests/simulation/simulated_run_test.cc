// `run --device sim:`: the same plan and flow core, a cost model in place of the node bodies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "runtime/builtin.h"
#include "runtime/opening_stop.h"
#include "runtime/pipeline.h"
#include "runtime/simulated_engine.h"
#include "simulation/profile_reader.h"
#include "simulation/simulated_run.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

RunReport run(const std::string& file, const std::vector<std::pair<std::string, std::string>>& set,
              RunOptions options, const std::optional<std::string>& pace = std::nullopt) {
  auto pipeline = Pipeline::load(file, builtin_registry(), {set, pace});
  if (!pipeline.ok()) {
    ADD_FAILURE() << pipeline.status().message();
    return {};
  }
  if (options.device.empty()) options.device = "sim:qcs6490";
  Status status = pipeline->start(options);
  if (status.ok()) status = pipeline->wait();
  EXPECT_TRUE(status.ok()) << status.message();
  return pipeline->report();
}

Status start_status(const std::string& file, const std::vector<std::pair<std::string, std::string>>& set,
                    const RunOptions& options) {
  auto pipeline = Pipeline::load(file, builtin_registry(), {set, std::nullopt});
  if (!pipeline.ok()) return pipeline.status();
  return pipeline->start(options);
}

std::uint64_t sum(const DropCounts& counts) {
  std::uint64_t out = 0;
  for (const std::uint64_t c : counts) out += c;
  return out;
}

const NodeReport& node(const RunReport& report, std::string_view id) {
  for (const NodeReport& n : report.nodes) {
    if (n.id == id) return n;
  }
  ADD_FAILURE() << "no node " << id;
  return report.nodes.front();
}

const std::string kFast = "pipelines/face_fast.yaml";
const std::string kDetect = "pipelines/face_detect.yaml";

TEST(SimulatedRun, AllFramesOfTheFileAreAccountedFor) {
  const RunReport report = run(kFast, {{"face.backends", "[htp, cpu]"}}, {}, "30");
  EXPECT_TRUE(report.simulated);
  EXPECT_EQ(report.status, RunStatus::kCompleted);
  for (const NodeReport& n : report.nodes)
    EXPECT_EQ(n.packets_out, n.type.ends_with("_sink") ? 0u : n.processed) << n.id << ": as in a real run";
  ASSERT_EQ(report.sources.size(), 1u);
  const std::uint64_t produced = report.sources[0].produced;
  EXPECT_NEAR(static_cast<double>(produced), 250, 1) << "what the header says: its duration times its rate";
  EXPECT_EQ(report.sources[0].delivered + sum(report.sources[0].dropped), produced);
  EXPECT_NEAR(*report.fps, 30, 0.1);
  EXPECT_NEAR(report.wall_s, 250 / 30.0, 0.2);
  ASSERT_EQ(report.inference.size(), 1u);
  EXPECT_EQ(report.inference[0].backend, "htp");
  EXPECT_TRUE(report.inference[0].simulated);
  ASSERT_EQ(report.inference[0].decisions.size(), 1u);
  EXPECT_THAT(report.inference[0].decisions[0].reason, HasSubstr("simulated qcs6490"));
  ASSERT_TRUE(report.device);
  EXPECT_EQ(report.device->telemetry, "simulated");
  EXPECT_EQ(report.device->profile, "qcs6490");
  EXPECT_FALSE(report.peak_rss_mb) << "of this process, not of the device";
}

TEST(SimulatedRun, WritesNothing) {
  std::filesystem::remove("data/face_detect.mp4");
  run(kDetect, {{"face.backends", "[htp]"}}, {.frames = 40});
  EXPECT_FALSE(std::filesystem::exists("data/face_detect.mp4"));
}

// MediaPipe FaceDetector is published with 0.683 ms in burst; 0.2 ms more through ONNX Runtime.
TEST(SimulatedRun, TakesPublishedLatencies) {
  const RunReport report = run(kDetect, {{"face.backends", "[htp]"}, {"face.htp.performance_mode", "burst"}},
                               {.frames = 300}, "10");
  EXPECT_NEAR(*report.inference[0].latency.p50, 0.883, 0.03);
}

TEST(SimulatedRun, IsTheSameToTheByte) {
  const auto once = [] { return to_json(run(kDetect, {{"face.backends", "[htp]"}}, {.duration_s = 60})); };
  EXPECT_EQ(once(), once());
}

TEST(SimulatedRun, PolicyFixedTakesTheFirstBackendThatTheDeviceHas) {
  const RunReport report =
      run(kFast, {{"face.backends", "[fake, cpu]"}, {"face.fake", "{latency_ms: 7}"}}, {.frames = 50}, "30");
  EXPECT_EQ(report.inference[0].backend, "fake");
  EXPECT_NEAR(*report.inference[0].latency.p50, 7, 0.3);
}

// `auto` under policy fixed, whether there is another backend to fall back to or not, as in a real run.
TEST(SimulatedRun, PolicyFixedTakesTheModeBalanced) {
  const auto took = [](const std::string& backends, const std::string& mode) {
    const RunReport report =
        run(kFast, {{"face.backends", backends}, {"face.htp.performance_mode", mode}}, {.frames = 50}, "30");
    EXPECT_EQ(report.inference[0].backend, "htp");
    EXPECT_EQ(report.inference[0].decisions.front().performance_mode, mode == "auto" ? "balanced" : mode);
    return *report.inference[0].latency.p50;
  };
  const double balanced = took("[htp]", "balanced");
  EXPECT_EQ(took("[htp]", "auto"), balanced);
  EXPECT_EQ(took("[htp, cpu]", "auto"), balanced);
  EXPECT_EQ(took("[htp]", "default"), balanced);
  EXPECT_LT(took("[htp]", "burst"), balanced);
}

TEST(SimulatedRun, HeatSlowsAndIsReported) {
  RunOptions options{.duration_s = 1800};
  options.ambient_c = 35;
  options.device = "sim:qcs6490";
  const RunReport hot = run(kDetect, {{"camera.loop", "true"}, {"face.backends", "[cpu]"}}, options);
  const RunReport cold =
      run(kDetect, {{"camera.loop", "true"}, {"face.backends", "[cpu]"}}, {.duration_s = 20});
  EXPECT_LT(*hot.fps, 0.85 * *cold.fps) << "half an hour on the CPU at 35 degrees C";
  double skin = 0;
  for (const DeviceReport::Heat& heat : hot.device->temperature_c) {
    if (heat.role == "skin") skin = heat.max.value_or(0);
  }
  EXPECT_GT(skin, 41);
  EXPECT_LT(skin, 44);
}

TEST(SimulatedRun, RatesAndSwitchesFilter) {
  const RunReport report = run("pipelines/hello.yaml", {}, {.frames = 300});
  std::uint64_t filtered = 0;
  for (const NodeReport& n : report.nodes) filtered += n.filtered;
  EXPECT_GT(filtered, 0u);
}

TEST(SimulatedRun, ARealtimePipelineDropsWhatASlowModelCannotTake) {
  const RunReport report = run("pipelines/face_preview.yaml", {}, {.duration_s = 10});
  const auto dropped = report.sources[0].dropped[static_cast<std::size_t>(DropReason::kQueueFull)];
  EXPECT_GT(dropped, 100u) << "the model takes 200 ms";
  for (const SinkReport& sink : report.sinks) {
    if (sink.id == "preview") {
      EXPECT_GE(sink.delivered, 298u) << "the preview keeps its rate";
    }
  }
}

TEST(SimulatedRun, TimingsReplaceTheProfiles) {
  const std::string path = ::testing::TempDir() + "/timings_" + std::to_string(::getpid()) + ".json";
  std::ofstream(path)
      << R"({"nodes": [{"id": "pre", "busy_ms": {"p50": 4.5}}, {"id": "face", "busy_ms": {"p50": 21}}]})";
  RunOptions options{.frames = 100};
  options.device = "sim:qcs6490";
  options.timings = path;
  const RunReport report = run(kFast, {{"face.backends", "[cpu]"}}, options, "10");
  EXPECT_NEAR(*node(report, "pre").busy.p50, 4.5, 0.2);
  EXPECT_NEAR(*node(report, "face").busy.p50, 21, 2.5);
}

// Measured in balanced it is no time at full clock.
TEST(SimulatedRun, TimingsHoldInTheModeInWhichTheyWereMeasured) {
  const std::string path = ::testing::TempDir() + "/timings_mode_" + std::to_string(::getpid()) + ".json";
  const auto took = [&](const std::string& measured_in, const std::string& mode) {
    std::ofstream(path)
        << R"({"nodes": [{"id": "face", "busy_ms": {"p50": 21}}], "inference": [{"node": "face",)"
        << R"("backend": "htp", "decisions": [{"performance_mode": ")" << measured_in << "\"}]}]}";
    RunOptions options{.frames = 100};
    options.timings = path;
    return *run(kFast, {{"face.backends", "[htp]"}, {"face.htp.performance_mode", mode}}, options, "10")
                .inference[0]
                .latency.p50;
  };
  EXPECT_NEAR(took("balanced", "auto"), 21, 1);
  EXPECT_NEAR(took("burst", "burst"), 21, 1);
  EXPECT_LT(took("balanced", "burst"), 19);
  EXPECT_GT(took("burst", "balanced"), 23);
}

// As the real backend does: a failed run loses its frame, a hanging one takes its time-out and then loses it.
TEST(SimulatedRun, TheFakeBackendFailsAndHangsAsItWasTold) {
  const RunReport report =
      run(kFast,
          {{"face.backends", "[fake]"},
           {"face.fake", "{latency_ms: 1, fail_at: [3, 5], hang_at: [10], run_timeout_ms: 500}"}},
          {.frames = 50}, "10");
  const NodeReport& face = node(report, "face");
  EXPECT_EQ(face.dropped[static_cast<std::size_t>(DropReason::kFailed)], 2u);
  EXPECT_EQ(face.dropped[static_cast<std::size_t>(DropReason::kTimeout)], 1u);
  EXPECT_EQ(report.sources[0].delivered, 47u);
  EXPECT_EQ(report.inference[0].latency.max.value_or(0) < 100, true)
      << "what hung is no latency of the model";
  EXPECT_GE(*face.busy.max, 499);
}

// As in a real run: NaN costs its frame, and ten frames of it in a row are a failure of the backend.
TEST(SimulatedRun, NanCostsItsFrameAndTenInARowTheBackend) {
  const auto with = [](const std::string& nan_at) {
    return run(kFast,
               {{"face.backends", "[fake, cpu]"}, {"face.fake", "{latency_ms: 1, nan_at: " + nan_at + "}"}},
               {.frames = 50}, "10");
  };
  const RunReport few = with("[3, 5, 6, 7, 8, 9, 10, 11, 12, 13]");
  EXPECT_EQ(node(few, "face").dropped[static_cast<std::size_t>(DropReason::kFailed)], 10u);
  EXPECT_EQ(few.inference[0].decisions.size(), 1u) << "nine in a row are the frames' fault";
  const RunReport ten = with("[3, 4, 5, 6, 7, 8, 9, 10, 11, 12]");
  EXPECT_EQ(node(ten, "face").dropped[static_cast<std::size_t>(DropReason::kFailed)], 10u);
  ASSERT_GE(ten.inference[0].decisions.size(), 2u);
  EXPECT_EQ(ten.inference[0].decisions[1].backend, "cpu");
  EXPECT_NEAR(ten.inference[0].decisions[1].at_s, 1.2, 0.01);
}

TEST(SimulatedRun, AFailureUnderOnErrorStopEndsItAndIsNamed) {
  std::string text;
  {
    std::ifstream in(kFast);
    text.assign(std::istreambuf_iterator<char>(in), {});
  }
  const std::string infer = "options: {model: face}}";
  const std::size_t at = text.rfind(infer);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, infer.size(),
               "on_error: stop, options: {model: face, backends: [fake], fake: {fail_at: [7]}}}");
  std::size_t data = 0;
  while ((data = text.find("../data", data)) != std::string::npos) text.replace(data, 7, "data");
  auto pipeline = Pipeline::load(text, builtin_registry());
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  RunOptions options;
  options.device = "sim:qcs6490";
  ASSERT_TRUE(pipeline->start(options).ok());
  EXPECT_THAT(
      pipeline->wait().message(),
      HasSubstr("node 'face': frame 7 of 'camera': simulated backend 'fake' was told to fail in run 7"));
  EXPECT_EQ(pipeline->report().status, RunStatus::kFailed);
}

// By then the selector may have taken another backend, which is not to blame.
TEST(SimulatedRun, ARunThatHangsIsGivenUpOnWhatItRanOn) {
  const auto pipeline = Pipeline::load(kFast, builtin_registry(),
                                       {{{"face.backends", "[fake, cpu]"},
                                         {"face.fake", "{latency_ms: 5, hang_at: [7], run_timeout_ms: 500}"}},
                                        "30"});
  ASSERT_TRUE(pipeline.ok()) << pipeline.status().message();
  SimulatedSetup setup;
  setup.plan = std::make_shared<const Plan>(pipeline->plan());
  auto profile = load_profile("qcs6490");
  ASSERT_TRUE(profile.ok()) << profile.status().message();
  setup.profile = std::move(*profile);
  OpeningStop stop;
  auto sources = read_source_headers(*setup.plan, stop);
  ASSERT_TRUE(sources.ok()) << sources.status().message();
  setup.sources = std::move(*sources);
  setup.frames = 60;
  auto run = SimulatedRun::create(std::move(setup));
  ASSERT_TRUE(run.ok()) << run.status().message();
  std::vector<std::string> failed_on;
  (*run)->on_run([&](std::size_t, const InferChoice& choice, TimeNs, const Status& status) {
    if (!status.ok()) failed_on.push_back(choice.backend);
  });
  (*run)->call_at(from_ms(400), [&] {
    InferChoice other;
    other.backend = "cpu";
    ASSERT_TRUE((*run)->choose(0, other).ok());
  });
  ASSERT_TRUE((*run)->run().ok());
  EXPECT_EQ(failed_on, std::vector<std::string>{"fake"});
  EXPECT_EQ((*run)->infer()[0].choice.backend, "cpu");
}

TEST(SimulatedRun, WhatCannotBeSaysWhy) {
  RunOptions options;
  options.device = "sim:qcs6491";
  EXPECT_EQ(start_status(kFast, {}, options).code(), Code::kInvalid);
  options.device = "sim:qcs6490";
  options.timings = "pipelines/hello.yaml";
  EXPECT_THAT(start_status(kFast, {}, options).message(), HasSubstr("no report of `sluice run --report`"));
  options.timings.clear();
  const Status mode = start_status(
      kFast, {{"face.backends", "[htp]"}, {"face.on_fallback", "error"}, {"camera.uri", "nothing.mp4"}},
      options);
  EXPECT_THAT(mode.message(), HasSubstr("node 'camera'"));
}

}  // namespace
}  // namespace sluice
