// Several models on one accelerator of a simulated device: whose turn it is, on whole pipelines.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"

namespace sluice {
namespace {

// Cameras that never pause, each with a model of 300 ms on the NPU; `options` of their infer nodes, which are
// called a, b, ...
Result<RunReport> run(const std::vector<std::string>& options) {
  std::string text =
      "version: 1\nname: shared\nmodels: {face: {path: "
      "data/models/face_detection_front_128x128.onnx}}\nnodes:\n";
  std::string timings = "{\"nodes\": [";
  for (std::size_t i = 0; i < options.size(); ++i) {
    const std::string id(1, static_cast<char>('a' + i));
    text += "  - {id: camera_" + id +
            ", type: video_source, options: {uri: data/videos/face720.mp4, loop: true}}\n" + "  - {id: pre_" +
            id + ", type: preprocess, inputs: camera_" + id +
            ", options: {model: face, mean: 127.5, std: 127.5}}\n" +  //
            "  - {id: " + id + ", type: infer, inputs: pre_" + id +
            ", options: {model: face, backends: [htp], " + options[i] + "}}\n" +  //
            "  - {id: out_" + id + ", type: null_sink, inputs: " + id + "}\n";
    timings += (i > 0 ? ", " : "") + std::string("{\"id\": \"") + id + "\", \"busy_ms\": {\"p50\": 300}}";
  }
  text += "flow: {mode: lossless}\n";
  RunOptions run;
  run.device = "sim:qcs6490";
  run.duration_s = 120;
  run.timings = ::testing::TempDir() + "/shared_unit_" + std::to_string(::getpid()) + ".json";
  std::ofstream(run.timings) << timings << "]}";
  SLUICE_ASSIGN(Pipeline pipeline, Pipeline::load(text, builtin_registry()));
  SLUICE_RETURN_IF_ERROR(pipeline.start(run));
  SLUICE_RETURN_IF_ERROR(pipeline.wait());
  return pipeline.report();
}

// Median and longest time from arrival at the node to the end of the run, ms.
struct Latency {
  double median = 0, longest = 0;
};
std::vector<Latency> latencies(const std::vector<std::string>& options) {
  const auto report = run(options);
  if (!report.ok()) {
    ADD_FAILURE() << report.status().message();
    return std::vector<Latency>(options.size());
  }
  std::vector<Latency> out;
  for (const InferenceReport& i : report->inference)
    out.push_back({i.latency.p50.value_or(0), i.latency.max.value_or(0)});
  return out;
}

constexpr double kJitter = 0.06;  // of the profile, and the histogram's resolution
void expect_near(double ms, double wanted) { EXPECT_NEAR(ms, wanted, wanted * kJitter); }

// facts_devices: one model takes 300 ms alone, two of equal priority 600 each, and a driver's queue lets one
// of low priority wait 30,000 ms beside one of high priority.
TEST(SharedUnit, ThreeHundredAloneSixHundredEach) {
  expect_near(latencies({"concurrency: 1"})[0].median, 300);
  for (const Latency& one : latencies({"concurrency: 1", "concurrency: 1"})) expect_near(one.median, 600);
}

TEST(SharedUnit, LowPriorityIsNotStarved) {
  const auto found = latencies({"priority: 10, concurrency: 2", "priority: -10, concurrency: 1"});
  expect_near(found[0].median, 600);  // its own two runs in flight; the other comes between once in nine
  // One runs and one waits when it arrives, eight overtake it, then it runs itself.
  expect_near(found[1].median, 11 * 300);
  EXPECT_LT(found[1].longest, 30'000 / 8) << "what the driver's queue makes of it";
}

// Of equal priority what is due first goes first; in the order of arrival all four runs in flight would take
// 1,200.
TEST(SharedUnit, TheEarlierDeadlineGoesFirst) {
  const auto found = latencies({"concurrency: 2", "concurrency: 2, finish_within_ms: 900"});
  EXPECT_LT(found[1].median, 700);
  EXPECT_GT(found[0].median, 1500);
  EXPECT_LT(found[0].longest, 30'000 / 7) << "not starved";
}

TEST(SharedUnit, IsTheSameToTheByte) {
  const auto once = [] {
    const auto report = run({"priority: 10, concurrency: 2", "priority: -10", "finish_within_ms: 900"});
    return report.ok() ? to_json(*report) : report.status().message();
  };
  const std::string first = once();
  EXPECT_THAT(first, ::testing::HasSubstr("\"simulated\": true"));
  EXPECT_EQ(first, once());
}

}  // namespace
}  // namespace sluice
