// The equations of contract section 3 over random graphs x drops x filters x 0..n packets x both modes.
#include <cstdlib>
#include <type_traits>

#include <gtest/gtest.h>

#include "tests/framework/graph/flow_model.h"

namespace sluice::testing {
namespace {

constexpr int kGraphs = 20000;

// What travels along TBB's edges is a handle: copying it can neither fail nor cost.
static_assert(std::is_trivially_copyable_v<Message> && sizeof(Message) <= 8);

struct RunResult {
  Findings findings;
  Tally tally;
};

RunResult run_graph(const ModelGraph& graph, PlantedFault fault = PlantedFault::kNone,
                    std::uint64_t after = 0) {
  ManualClock clock;
  Model model(graph);
  DiscreteExecutor executor(model.setup(clock), clock);
  model.attach(executor, clock);
  executor.core_for_tests().plant(fault, after);
  EXPECT_TRUE(executor.start().ok());
  // A seeded moment at which some runs are stopped from outside.
  std::uint64_t events = 0;
  const std::uint64_t stop_at = graph.seed % 7 == 0 ? graph.seed % 211 : UINT64_MAX;
  executor.on_event([&] {
    if (++events == stop_at) executor.stop();
  });
  if (!executor.wait(0)) model.findings().push_back("stalled: frames inside that nothing will move");
  model.check(executor, executor);
  return {model.findings(), model.tally()};
}

TEST(FlowProperty, EquationsOrderAndJoinsHoldOverRandomGraphs) {
  Tally total;
  for (std::uint64_t seed = 1; seed <= kGraphs; ++seed) {
    const ModelGraph graph = random_graph(seed);
    const RunResult run = run_graph(graph);
    ASSERT_TRUE(run.findings.empty()) << run.findings.front() << "\n" << graph.text();
    for (std::size_t r = 0; r < kDropReasons; ++r) total.reasons[r] += run.tally.reasons[r];
    total.wide_joins += run.tally.wide_joins;
    total.empty_lists += run.tally.empty_lists;
    total.frames += run.tally.frames;
  }
  for (std::size_t r = 1; r < kDropReasons; ++r) {
    EXPECT_GE(total.reasons[r], 200u) << name_of(static_cast<DropReason>(r));
  }
  EXPECT_GE(total.wide_joins, 2000u);
  EXPECT_GE(total.empty_lists, 1000u);
  RecordProperty("frames", std::to_string(total.frames));
}

// Each planted fault must be found by the same checks within the first graphs in which it strikes.
class PlantedFaults : public ::testing::TestWithParam<PlantedFault> {};

TEST_P(PlantedFaults, IsFound) {
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    const ModelGraph graph = random_graph(seed);
    if (!run_graph(graph, GetParam(), seed % 17).findings.empty()) return;
  }
  FAIL() << "the property test would not notice this fault";
}

INSTANTIATE_TEST_SUITE_P(All, PlantedFaults,
                         ::testing::Values(PlantedFault::kLostCredit, PlantedFault::kDoubleReturn,
                                           PlantedFault::kShiftedJoin, PlantedFault::kLostAbsence,
                                           PlantedFault::kUncountedDrop, PlantedFault::kWrongReason,
                                           PlantedFault::kReorder, PlantedFault::kSkippedSink,
                                           PlantedFault::kIgnoredCapacity, PlantedFault::kEarlyRelease));

}  // namespace
}  // namespace sluice::testing
