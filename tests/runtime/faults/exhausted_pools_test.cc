// Every pool of a pipeline driven to exhaustion: realtime drops and counts, lossless waits; nothing is made
// beyond what the plan sized.
#include <gmock/gmock.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

// `keeper` keeps the packets of one node until they are given back from outside.
std::string keeping(const std::string& node, const std::string& mode, const std::string& infer = "") {
  return "version: 1\nname: exhausted\n"
         "models: {face: {path: data/models/face_detection_front_128x128.onnx}}\n"
         "nodes:\n"
         "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n"
         "  - {id: pre, type: preprocess, inputs: cam, options: {model: face, mean: 127.5, std: 127.5}}\n"
         "  - {id: face, type: infer, inputs: pre, options: {model: face, backends: [fake], fake: "
         "{latency_ms: 0}" +
         infer +
         "}}\n"
         "  - {id: boxes, type: detect, inputs: face, options: {decoder: blazeface}}\n"
         "  - {id: drawn, type: draw, inputs: {image: cam, detections: boxes}}\n"
         "  - {id: shown, type: null_sink, inputs: drawn}\n"
         "  - {id: found, type: null_sink, inputs: boxes}\n"
         "  - {id: keeper, type: fault, inputs: " +
         node +
         ", options: {does: leak, times: -1}}\n"
         "  - {id: out, type: null_sink, inputs: keeper}\n"
         "flow: {mode: " +
         mode + "}\n";
}

// Of one of the pools of the node's outputs, `used` is all there is.
bool all_of_a_pool(FaultRun& run, const std::string& node, std::size_t PoolStats::* used) {
  const std::vector<NamedPool> pools = run.engine().pools()->named_stats();
  return std::any_of(pools.begin(), pools.end(), [&](const NamedPool& pool) {
    return pool.name.starts_with(node + ".") && pool.stats.*used == pool.stats.buffers;
  });
}

bool exhausted(FaultRun& run, const std::string& node) {
  return all_of_a_pool(run, node, &PoolStats::high_water);
}

// Gives back what `keeper` has, whenever the node can make no more; until the run has ended. How often.
int give_back_when_empty(FaultRun& run, const std::string& node) {
  int given_back = 0;
  while (!run.engine().wait_for(0.001)) {
    if (all_of_a_pool(run, node, &PoolStats::in_use)) given_back += give_back_kept() > 0 ? 1 : 0;
  }
  return given_back;
}

void expect_never_above_the_plan(FaultRun& run) {
  for (const NamedPool& pool : run.engine().pools()->named_stats())
    EXPECT_LE(pool.stats.high_water, pool.stats.buffers) << pool.name;
}

class ExhaustedPool : public ::testing::TestWithParam<const char*> {};

// For as many frames as a busy machine needs: what it has no time for is dropped before it is made.
TEST_P(ExhaustedPool, RealtimeDropsAndCounts) {
  FaultRun run(keeping(GetParam(), "realtime"), {}, {{}, "400"});
  ASSERT_TRUE(run.engine().start({}).ok());
  const auto lost = [&](const RunReport& report) {
    return std::min(count(node_of(report, GetParam()).dropped, DropReason::kPoolEmpty),
                    count(report.sources[0].dropped, DropReason::kPoolEmpty));
  };
  while (lost(run.engine().report()) == 0) std::this_thread::yield();
  run.engine().stop(true);
  const Status status = run.wait();
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_GT(lost(run.report()), 0u);
  EXPECT_TRUE(exhausted(run, GetParam()));
  expect_never_above_the_plan(run);
  give_back_kept();
}

TEST_P(ExhaustedPool, LosslessWaits) {
  FaultRun run(keeping(GetParam(), "lossless"));
  RunOptions options;
  options.frames = 200;
  ASSERT_TRUE(run.engine().start(options).ok());
  const int given_back = give_back_when_empty(run, GetParam());
  const Status status = run.wait();
  ASSERT_TRUE(status.ok()) << status.message();
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].delivered, 200u) << "lossless never drops";
  EXPECT_GE(given_back, 2);
  EXPECT_TRUE(exhausted(run, GetParam())) << "the test did not drive it to exhaustion";
  expect_never_above_the_plan(run);
  give_back_kept();
}

INSTANTIATE_TEST_SUITE_P(Nodes, ExhaustedPool, ::testing::Values("cam", "pre", "face", "boxes", "drawn"),
                         [](const auto& node) { return std::string(node.param); });

// A frame that waits for a buffer of the model's output comes to the node again, and is not measured twice.
TEST(ExhaustedPools, AFrameThatWaitsForABufferPassesRateHzOnce) {
  FaultRun run(keeping("face", "lossless", ", rate_hz: 15"));
  RunOptions options;
  options.frames = 200;
  ASSERT_TRUE(run.engine().start(options).ok());
  const int given_back = give_back_when_empty(run, "face");
  ASSERT_TRUE(run.wait().ok());
  EXPECT_GE(given_back, 2) << "the test did not drive the pool to exhaustion";
  const RunReport report = run.report();
  EXPECT_EQ(node_of(report, "face").processed, 100u) << "every second frame of a stream of 30 fps";
  EXPECT_EQ(node_of(report, "face").filtered, 100u);
  give_back_kept();
}

// Frames that overtook an older one wait for it to be delivered: they may hold nothing that it needs to be
// made.
void expect_the_overtaken_frame_to_come(int others, const std::string& more) {
  FaultRun run(
      "version: 1\nname: overtaken\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64, fps: 30}}\n"
      "  - {id: over, type: overtaken, inputs: cam, options: {others: " +
      std::to_string(others) +
      "}}\n"
      "  - {id: out, type: null_sink, inputs: over.read}\n" +
      more + "flow: {mode: lossless, max_in_flight: 8}\n");
  RunOptions options;
  options.frames = 20;
  const Status status = run.run(options);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(run.report().sources[0].delivered, 20u);
}

TEST(ExhaustedPools, AnOutputThatNobodyReadsHoldsNobodyUp) { expect_the_overtaken_frame_to_come(3, ""); }

TEST(ExhaustedPools, AnOutputReadOnlyThroughAMailboxHoldsNobodyUp) {
  expect_the_overtaken_frame_to_come(
      5, "  - {id: seen, type: watch, inputs: {in: cam, newest: {from: over.other, sync: latest}}}\n");
}

// A pool that is empty at the end of the run has nobody left to tell when its packets come back.
TEST(ExhaustedPools, PacketsMayComeBackAfterTheRunIsGone) {
  {
    FaultRun run(keeping("cam", "realtime"), {}, {{}, "400"});
    RunOptions options;
    options.frames = 200;
    ASSERT_TRUE(run.run(options).ok());
  }
  EXPECT_GT(give_back_kept(), 0);
}

}  // namespace
}  // namespace sluice::testing
