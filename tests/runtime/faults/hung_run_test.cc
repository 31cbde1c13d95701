// A node or a source that does not come back must not keep the run from its end.
#include <gmock/gmock.h>

#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/runtime/faults/fault_run.h"
#include "tests/runtime/faults/jumping_clock.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;

// The watchdog's time passes when a test says so: a busy machine is never taken for a run that hangs.
class HungRun : public ::testing::Test {
 public:
  ~HungRun() override {
    if (abandoned_runs() > abandoned_) keep(std::move(clock_));
  }

 protected:
  static constexpr TimeNs kPeriod = from_ms(20), kPatience = from_s(600), kStandstill = from_s(1800);

  EngineSetup setup() {
    EngineSetup out;
    out.clock = clock_.get();
    out.limits = {kPeriod, kPatience, kStandstill, 5};
    return out;
  }
  // The watchdog looks at least once afterwards: its timer is due before this one.
  void pass(TimeNs time) {
    clock_->jump(time);
    std::promise<void> looked;
    clock_->at(clock_->now() + 2 * kPeriod, {}, [&] { looked.set_value(); });
    looked.get_future().wait();
  }
  Status end_of(FaultRun& run) {
    while (!run.engine().wait_for(0)) pass(kStandstill + kPatience);
    return run.wait();
  }
  static void wait_for_delivered(FaultRun& run, std::uint64_t frames) {
    while (run.engine().report().sources[0].delivered < frames) std::this_thread::yield();
  }

 private:
  // What was abandoned uses its clock for ever.
  static void keep(std::unique_ptr<JumpingClock> clock) {
    static auto* const kAll = new std::vector<std::unique_ptr<JumpingClock>>();
    kAll->push_back(std::move(clock));
  }
  const std::size_t abandoned_ = abandoned_runs();
  std::unique_ptr<JumpingClock> clock_ = std::make_unique<JumpingClock>();
};

constexpr const char* kOneHangs =
    "version: 1\nname: hung\nnodes:\n"
    "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
    "  - {id: stuck, type: fault, inputs: cam, options: {does: hang, at: 3}}\n"
    "  - {id: out, type: null_sink, inputs: stuck}\n"
    "  - {id: other, type: null_sink, inputs: cam}\n";

TEST_F(HungRun, ANodeThatHangsInAWorkerIsAbandonedWhenTheSourcesHaveEnded) {
  FaultRun run(kOneHangs, setup());
  RunOptions options;
  options.frames = 6;
  ASSERT_TRUE(run.engine().start(options).ok());
  wait_for_hung(1);
  wait_for_delivered(run, 3);
  while (sink_of(run.engine().report(), "other").delivered < 4) std::this_thread::yield();
  const Status status = end_of(run);
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

TEST_F(HungRun, AStopEndsIt) {
  FaultRun run(std::string(kOneHangs) + "flow: {mode: realtime}\n", setup(), {{}, "30"});
  ASSERT_TRUE(run.engine().start({}).ok());
  wait_for_hung(1);
  run.engine().stop(true);
  EXPECT_EQ(end_of(run).code(), Code::kTimeout);
  EXPECT_EQ(run.report().status, RunStatus::kFailed);
  EXPECT_EQ(count(node_of(run.report(), "stuck").dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST_F(HungRun, ALosslessRunThatStandsStillIsAbandonedWithoutAStop) {
  FaultRun run(kOneHangs, setup());
  ASSERT_TRUE(run.engine().start({}).ok());
  wait_for_hung(1);
  wait_for_delivered(run, 3);
  EXPECT_EQ(end_of(run).code(), Code::kTimeout);
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].delivered, 3u);
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST_F(HungRun, ASinkThatWaitsForItsReaderIsWaitedForUntilTheRunIsStopped) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: pipe, type: fault_own, inputs: cam, options: {does: hang, at: 2}}\n"
      "  - {id: out, type: null_sink, inputs: pipe}\n",
      setup());
  RunOptions options;
  options.frames = 4;
  ASSERT_TRUE(run.engine().start(options).ok());
  wait_for_hung(1);
  pass(0);  // so that what has moved before is seen
  for (int i = 0; i < 2; ++i) pass(kStandstill);
  EXPECT_FALSE(run.engine().wait_for(0)) << "its reader may just be slow";
  run.engine().stop(true);
  EXPECT_EQ(end_of(run).code(), Code::kTimeout);
  EXPECT_EQ(count(run.report().sources[0].dropped, DropReason::kTimeout), 1u);
  release_hung();
}

TEST_F(HungRun, ASourceThatDoesNotStopIsNamed) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: stuck_source, options: {frames: 2}}\n"
      "  - {id: out, type: null_sink, inputs: cam}\n",
      setup());
  ASSERT_TRUE(run.engine().start({}).ok());
  wait_for_hung(1);
  wait_for_delivered(run, 2);
  run.engine().stop(true);
  const Status status = end_of(run);
  EXPECT_EQ(status.code(), Code::kTimeout);
  EXPECT_THAT(status.message(), HasSubstr("source 'cam' does not stop"));
  EXPECT_EQ(run.report().sources[0].delivered, 2u);
  release_hung();
}

// Its second frame takes longer than the watchdog's patience, but no five times as long as its first. What a
// body takes is measured in real time, so this one cannot be hurried.
TEST_F(HungRun, ANodeThatIsOnlySlowIsWaitedFor) {
  EngineSetup impatient;
  impatient.limits = {kPeriod, from_ms(2000), from_ms(6000), 5};
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: slow, type: fault, inputs: cam, options: {does: slow, ms: [800, 3000], times: 2}}\n"
      "  - {id: out, type: null_sink, inputs: slow}\n",
      std::move(impatient));
  RunOptions options;
  options.frames = 2;
  const Status status = run.run(options);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(run.report().sources[0].delivered, 2u);
}

TEST_F(HungRun, APacketThatANodeKeepsForEverIsNamed) {
  FaultRun run(
      "version: 1\nnodes:\n"
      "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
      "  - {id: keeps, type: fault, inputs: cam, options: {does: leak, times: -1}}\n"
      "  - {id: out, type: null_sink, inputs: keeps}\n",
      setup());
  ASSERT_TRUE(run.engine().start({}).ok());
  // All buffers of the camera are kept: nothing is inside, and nothing can enter.
  const PoolStats cam = run.engine().pools()->named_stats().at(0).stats;
  wait_for_delivered(run, cam.buffers);
  pass(0);  // so that what has moved before is seen
  for (int i = 0; i < 2; ++i) pass(kStandstill);
  EXPECT_FALSE(run.engine().wait_for(0));
  run.engine().stop(true);
  EXPECT_TRUE(run.wait().ok());
  EXPECT_EQ(run.report().sources[0].delivered, cam.buffers);
  give_back_kept();
}

}  // namespace
}  // namespace sluice::testing
