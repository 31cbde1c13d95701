// Nodes that throw, fail, drop and say nothing, in whole pipelines on the real executor.
#include <gmock/gmock.h>

#include "tests/runtime/faults/fault_run.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;

std::string with_fault(const std::string& options, const std::string& type = "fault",
                       const std::string& more = "") {
  return "version: 1\nname: failing\nnodes:\n"
         "  - {id: cam, type: video_source, options: {uri: 'test:bars', width: 64, height: 64}}\n"
         "  - {id: bad, type: " +
         type + ", inputs: cam, options: " + options + more +
         "}\n"
         "  - {id: pass, type: rate_limit, inputs: bad, options: {rate_hz: 1000}}\n"
         "  - {id: out, type: null_sink, inputs: pass}\n"
         "  - {id: joined, type: json_sink, inputs: {a: cam, b: bad}, options: {path: /dev/null}}\n";
}

RunOptions frames(std::int64_t n) {
  RunOptions options;
  options.frames = n;
  return options;
}

class Throws : public ::testing::TestWithParam<std::pair<const char*, const char*>> {};

TEST_P(Throws, AFewAreCountedAndTheRunGoesOn) {
  for (const char* type : {"fault", "fault_own"}) {
    FaultRun run(with_fault(std::string("{does: ") + GetParam().first + ", at: 4, times: 29}", type));
    const Status status = run.run(frames(60));
    EXPECT_TRUE(status.ok()) << status.message();
    const RunReport report = run.report();
    EXPECT_EQ(report.status, RunStatus::kCompleted);
    EXPECT_EQ(report.sources[0].delivered, 31u);
    EXPECT_EQ(count(report.sources[0].dropped, DropReason::kFailed), 29u);
    EXPECT_EQ(count(node_of(report, "bad").dropped, DropReason::kFailed), 29u);
    for (const char* sink : {"out", "joined"}) {
      EXPECT_EQ(sink_of(report, sink).due, 60u);
      EXPECT_EQ(sink_of(report, sink).delivered, 31u);
    }
  }
}

TEST_P(Throws, ThirtyInARowStopTheRun) {
  FaultRun run(with_fault(std::string("{does: ") + GetParam().first + ", at: 4, times: -1}"));
  const Status status = run.run();  // without an end of its own
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("node 'bad': frame "));
  EXPECT_THAT(status.message(), HasSubstr(GetParam().second));
  const RunReport report = run.report();
  EXPECT_EQ(report.status, RunStatus::kFailed);
  EXPECT_EQ(report.sources[0].delivered, 4u);
  EXPECT_GE(count(node_of(report, "bad").dropped, DropReason::kFailed), 30u);
}

TEST_P(Throws, TheFirstOneStopsTheRunUnderOnErrorStop) {
  FaultRun run(
      with_fault(std::string("{does: ") + GetParam().first + ", at: 7}", "fault", ", on_error: stop"));
  const Status status = run.run();
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("node 'bad': frame 7 of 'cam': "));
  EXPECT_THAT(status.message(), HasSubstr(GetParam().second));
  EXPECT_THAT(status.message(), HasSubstr("the run stops (on_error)"));
  EXPECT_EQ(count(run.report().sources[0].dropped, DropReason::kFailed), 1u);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, Throws,
    ::testing::Values(std::pair("throw", "threw an exception: as told"),
                      std::pair("throw_int", "threw something that is no std::exception"),
                      std::pair("throw_bad_alloc", "out of memory"), std::pair("fail", "failed as told")),
    [](const auto& kind) { return std::string(kind.param.first); });

TEST(FailingNode, OneThatEmitsNothingIsDataAndJoinsDoNotShift) {
  FaultRun run(with_fault("{does: nothing, at: 2, times: 3}"));
  ASSERT_TRUE(run.run(frames(10)).ok());
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].delivered, 10u) << "an empty list is data";
  EXPECT_EQ(node_of(report, "bad").packets_out, 7u);
  EXPECT_EQ(sink_of(report, "joined").delivered, 10u);
}

TEST(FailingNode, ADropHasItsReason) {
  FaultRun run(with_fault("{does: drop, at: 2, times: 3}"));
  ASSERT_TRUE(run.run(frames(10)).ok());
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].delivered, 7u);
  EXPECT_EQ(count(report.sources[0].dropped, DropReason::kStale), 3u);
}

TEST(FailingNode, ASlowOneThrottlesALosslessSource) {
  FaultRun run(with_fault("{does: slow, ms: 2, times: -1}"));
  ASSERT_TRUE(run.run(frames(50)).ok());
  EXPECT_EQ(run.report().sources[0].delivered, 50u);
}

TEST(FailingNode, ASlowOneCostsARealtimeSourceFramesThatAreCounted) {
  FaultRun run(with_fault("{does: slow, ms: 20, times: -1}") + "flow: {mode: realtime}\n", {}, {{}, "500"});
  ASSERT_TRUE(run.run(frames(100)).ok());
  const RunReport report = run.report();
  EXPECT_EQ(report.sources[0].produced, 100u);
  EXPECT_GT(count(report.sources[0].dropped, DropReason::kOverload), 10u);
}

// Nothing that a failing run opened stays open.
TEST(FailingNode, LeavesNoThreadAndNoDescriptor) {
  {
    FaultRun warm_up(with_fault("{does: throw}"));
    ASSERT_TRUE(warm_up.run(frames(5)).ok());
  }
  const int threads = threads_now();
  const int descriptors = descriptors_now();
  for (int i = 0; i < 10; ++i) {
    FaultRun run(with_fault("{does: fail, at: 3}", "fault_own", ", on_error: stop"));
    EXPECT_EQ(run.run().code(), Code::kFailed);
  }
  EXPECT_TRUE(threads_come_down_to(threads)) << threads_now() << " instead of " << threads;
  EXPECT_EQ(descriptors_now(), descriptors);
}

}  // namespace
}  // namespace sluice::testing
