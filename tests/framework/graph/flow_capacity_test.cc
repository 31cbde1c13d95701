// How many frames may wait in front of a unit: as many as a lossless pipeline writes, and what a branch
// without a sink may keep of a realtime one.
#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "framework/graph/flow_core.h"

namespace sluice::testing {
namespace {

constexpr std::uint32_t kSource = 0, kMakes = 1, kSlow = 2;
constexpr int kCredits = 6, kCapacity = 2;

class NoStorage final : public FlowStorage {
 public:
  void release(std::uint32_t, Slot) override {}
};

// A source, a unit that makes something at once, and a slow sink behind an edge with a written capacity.
FlowGraph line(int concurrency) {
  FlowGraph graph;
  graph.lossless = true;
  for (int u = 0; u < 3; ++u) {
    FlowUnit unit;
    unit.nodes = {u};
    unit.is_source = u == 0;
    graph.units.push_back(unit);
    graph.node_rank.push_back(u);
    graph.node_stops.push_back(false);
  }
  graph.units[kMakes].concurrency = concurrency;
  graph.units[kSlow].capacity = kCapacity;
  graph.units[kSlow].sink = SinkKind::kCounting;
  graph.units[kSlow].sink_index = graph.sinks++;
  graph.edges = {{0, 0, 1}, {1, 0, 2}};
  graph.sources.push_back({0, kCredits, kCredits});
  return graph;
}

// Everything happens at once but the runs of the slow unit, which end when they are told to.
class Line {
 public:
  explicit Line(int concurrency) : core_(line(concurrency), storage_) {}

  bool offer() {
    Actions actions;
    const auto slot = core_.offer(0, {.source = 0, .number = number_++}, 0, actions);
    if (slot) core_.enter(0, *slot, 0, actions);
    follow(actions);
    return slot.has_value();
  }
  void end_slow_run() {
    Actions actions;
    finish(kSlow, running_.front(), actions);
    running_.erase(running_.begin());
    follow(actions);
  }
  std::size_t running() const { return running_.size(); }
  int made() const { return static_cast<int>(core_.counters().nodes[kMakes].processed); }
  int delivered() const { return static_cast<int>(core_.counters().sinks[0].delivered); }

 private:
  void finish(std::uint32_t unit, Slot slot, Actions& actions) {
    const NodeRun one{1, 1, 0};
    Outcome outcome;
    outcome.runs = {&one, 1};
    core_.finished(unit, slot, outcome, 0, actions);
  }
  void follow(Actions& actions) {
    while (actions.size() > 0) {
      const Action action = actions.take_last();
      if (action.kind == Action::Kind::kStart && action.unit == kSlow) running_.push_back(action.slot);
      if (action.kind == Action::Kind::kStart && action.unit == kMakes) finish(kMakes, action.slot, actions);
      if (action.kind != Action::Kind::kDeliver) continue;
      for (const std::uint32_t consumer : core_.consumers(action.unit))
        core_.arrive(action.unit, consumer, action.slot, 0, actions);
    }
  }

  NoStorage storage_;
  FlowCore core_;
  std::uint64_t number_ = 0;
  std::vector<Slot> running_;
};

class FlowCapacity : public ::testing::TestWithParam<int> {};

TEST_P(FlowCapacity, BoundsWhatItsProducerMakesAhead) {
  Line line(GetParam());
  for (int i = 0; i < kCredits; ++i) EXPECT_TRUE(line.offer()) << i;
  EXPECT_EQ(line.running(), 1u);
  EXPECT_EQ(line.made(), 1 + kCapacity) << "one runs, and as many wait as are allowed to";
  for (int done = 1; done <= kCredits; ++done) {
    ASSERT_EQ(line.running(), 1u) << "it stands still after " << done - 1;
    line.end_slow_run();
    EXPECT_LE(line.made(), done + 1 + kCapacity);
    EXPECT_EQ(line.delivered(), done);
  }
}

// Realtime: a sink, and beside it a parallel unit with a serial one behind it that ends in a mailbox.
constexpr std::uint32_t kParallel = 1, kInOrder = 2, kSink = 3;

FlowGraph beside_a_sink(WhenFull when_full) {
  FlowGraph graph = line(4);
  graph.lossless = false;
  graph.units.push_back(std::exchange(graph.units[kInOrder], FlowUnit{}));
  graph.units[kInOrder].nodes = {2};
  graph.units[kInOrder].capacity = 1;
  graph.units[kInOrder].when_full = when_full;
  graph.units[kSink].nodes = {3};
  graph.units[kSink].capacity = 0;
  graph.node_rank.push_back(3);
  graph.node_stops.push_back(false);
  graph.edges = {{0, 0, 1}, {1, 0, 2}, {0, 0, 3}};
  bound_branches_without_sinks(graph);
  return graph;
}

// Everything ends at once but the parallel unit's run for the first frame.
class Stalled {
 public:
  explicit Stalled(WhenFull when_full) : core_(beside_a_sink(when_full), storage_) {}

  void offer() {
    Actions actions;
    const auto slot = core_.offer(0, {.source = 0, .number = number_++}, 0, actions);
    if (slot) core_.enter(0, *slot, 0, actions);
    follow(actions);
  }
  void end_first_run() {
    Actions actions;
    finish(kParallel, first_, actions);
    follow(actions);
  }
  const FlowCore& core() const { return core_; }
  // The frames that the unit which takes them in order ran for.
  const std::vector<std::uint64_t>& seen() const { return seen_; }

 private:
  void finish(std::uint32_t unit, Slot slot, Actions& actions) {
    const NodeRun one{1, 1, 0};
    Outcome outcome;
    outcome.runs = {&one, 1};
    core_.finished(unit, slot, outcome, 0, actions);
  }
  void start(std::uint32_t unit, Slot slot, Actions& actions) {
    if (unit == kInOrder) seen_.push_back(core_.frame(slot).number);
    if (unit == kParallel && core_.frame(slot).number == 0) {
      first_ = slot;
    } else {
      finish(unit, slot, actions);
    }
  }
  void follow(Actions& actions) {
    while (actions.size() > 0) {
      const Action action = actions.take_last();
      if (action.kind == Action::Kind::kStart) start(action.unit, action.slot, actions);
      if (action.kind != Action::Kind::kDeliver) continue;
      for (const std::uint32_t consumer : core_.consumers(action.unit))
        core_.arrive(action.unit, consumer, action.slot, 0, actions);
    }
  }

  NoStorage storage_;
  FlowCore core_;
  std::uint64_t number_ = 0;
  Slot first_ = kNoSlot;
  std::vector<std::uint64_t> seen_;
};

TEST(Overtaking, OfAStalledRunStarvesNoSink) {
  constexpr std::uint64_t kFrames = 100;
  Stalled stalled(WhenFull::kDropOldest);
  for (std::uint64_t i = 0; i < kFrames; ++i) stalled.offer();
  const FlowCounters& counters = stalled.core().counters();
  EXPECT_EQ(counters.sinks[0].delivered, kFrames);
  EXPECT_EQ(stalled.core().refused_for_slots(0), 0U);
  EXPECT_EQ(stalled.core().alive(), 1 + 4) << "the stalled frame, and as many as may run at once";
  stalled.end_first_run();
  EXPECT_TRUE(stalled.core().idle());
  EXPECT_EQ(stalled.seen(), (std::vector<std::uint64_t>{0, 99})) << "its queue holds one";
  EXPECT_EQ(counters.nodes[kInOrder].dropped[static_cast<std::size_t>(DropReason::kQueueFull)], kFrames - 2);
}

TEST(Overtaking, DropsAsTheEdgeSays) {
  Stalled stalled(WhenFull::kDropNewest);
  for (int i = 0; i < 10; ++i) stalled.offer();
  stalled.end_first_run();
  EXPECT_EQ(stalled.seen(), (std::vector<std::uint64_t>{0, 1}));
}

INSTANTIATE_TEST_SUITE_P(SerialAndParallelProducers, FlowCapacity, ::testing::Values(1, 4));

}  // namespace
}  // namespace sluice::testing
