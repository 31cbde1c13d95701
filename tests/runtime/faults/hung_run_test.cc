// A node or a source that does not come back must not keep the run from its end.
#include <gmock/gmock.h>

#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;

// Short, but long enough for a frame on a busy machine.
EngineSetup impatient() {
  EngineSetup setup;
  setup.limits = {from_ms(20), from_ms(500), from_ms(1500), 5};
  return setup;
}

constexpr const char* kOneHangs =
    "version: 1\nname: hung\nnodes:\n"
    "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
    "  - {id: stuck, type: fault, inputs: cam, options: {does: hang, at: 3}}\n"
    "  - {id: out, type: null_sink, inputs: stuck}\n"
    "  - {id: other, type: null_sink, inputs: cam}\n";

TEST(HungRun, ANodeThatHangsInAWorkerIsAbandonedWhenTheSourcesHaveEnded) {
  FaultRun run(kOneHangs, impatient());
  RunOptions options;
  options.frames = 6;
  const Status status = run.run(options);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("node 'stuck' is still working on frame 3 of 'cam'"));
  EXPECT_THAT(status.message(), HasSubstr("the run was abandoned"));
  EXPECT_TRUE(run.engine().abandoned());
  const RunReport report = run.report();
  EXPECT_EQ(report.status, RunStatus::kFailed);
  EXPECT_EQ(report.sources[0].delivered, 3u);
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kTimeout), 1u);
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kCancelled), report.sources[0].produced - 4);
  EXPECT_EQ(count(node_of(report, "stuck").dropped, DropReason::kTimeout), 1u);
  EXPECT_GE(sink_of(report, "other").delivered, 4u);
  release_hung();
  // The thread that came back late changes nothing.
  EXPECT_EQ(run.report().sources[0].delivered, 3u);
}

TEST(HungRun, AStopEndsIt) {
  FaultRun run(std::string(kOneHangs) + "flow: {mode: realtime}\n", impatient(), {{}, "30"});
  ASSERT_TRUE(run.engine().start({}).ok());
  wait_for_hung(1);
  run.engine().stop(true);
  EXPECT_EQ(run.wait().code(), Code::kTimeout);
  EXPECT_EQ(run.report().status, RunStatus::kFailed);
  EXPECT_EQ(count(node_of(run.report(), "stuck").dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST(HungRun, ALosslessRunThatStandsStillIsAbandonedWithoutAStop) {
  FaultRun run(kOneHangs, impatient());
  EXPECT_EQ(run.run().code(), Code::kTimeout);
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].delivered, 3u);
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST(HungRun, ASinkThatWaitsForItsReaderIsWaitedForUntilTheRunIsStopped) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: pipe, type: fault_own, inputs: cam, options: {does: hang, at: 2}}\n"
      "  - {id: out, type: null_sink, inputs: pipe}\n",
      impatient());
  RunOptions options;
  options.frames = 4;
  ASSERT_TRUE(run.engine().start(options).ok());
  wait_for_hung(1);
  EXPECT_FALSE(run.engine().wait_for(3.0)) << "its reader may just be slow";
  run.engine().stop(true);
  EXPECT_EQ(run.wait().code(), Code::kTimeout);
  EXPECT_EQ(count(run.report().sources[0].dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST(HungRun, ASourceThatDoesNotStopIsNamed) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: stuck_source, options: {frames: 2}}\n"
      "  - {id: out, type: null_sink, inputs: cam}\n",
      impatient());
  ASSERT_TRUE(run.engine().start({}).ok());
  wait_for_hung(1);
  run.engine().stop(true);
  const Status status = run.wait();
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("source 'cam' does not stop"));
  EXPECT_EQ(run.report().sources[0].delivered, 2u);
  release_hung();
}

// Its second frame takes longer than the watchdog's patience, but no five times as long as its first.
TEST(HungRun, ANodeThatIsOnlySlowIsWaitedFor) {
  EngineSetup setup;
  setup.limits = {from_ms(20), from_ms(2000), from_ms(6000), 5};
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: slow, type: fault, inputs: cam, options: {does: slow, ms: [800, 3000], times: 2}}\n"
      "  - {id: out, type: null_sink, inputs: slow}\n",
      std::move(setup));
  RunOptions options;
  options.frames = 2;
  const Status status = run.run(options);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(run.report().sources[0].delivered, 2u);
}

TEST(HungRun, APacketThatANodeKeepsForEverIsNamed) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: keeps, type: fault, inputs: cam, options: {does: leak, times: -1}}\n"
      "  - {id: out, type: null_sink, inputs: keeps}\n",
      impatient());
  ASSERT_TRUE(run.engine().start({}).ok());
  // All buffers of the camera are kept: nothing is inside, and nothing can enter.
  EXPECT_FALSE(run.engine().wait_for(2.0));
  run.engine().stop(true);
  EXPECT_TRUE(run.wait().ok());
  EXPECT_GT(run.report().sources[0].delivered, 0u);
  give_back_kept();
}

}  // namespace
}  // namespace sluice::testing
