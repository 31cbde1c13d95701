// What the books say of a run that cannot end: every frame inside is lost where it stands, and counted once.
#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>

#include "framework/graph/discrete_executor.h"
#include "tests/framework/graph/flow_model.h"

namespace sluice::testing {
namespace {

constexpr std::uint32_t kSource = 0, kSlow = 1, kBehind = 2, kDirect = 3, kJoined = 4;

// A source, a slow unit with a sink behind it, a sink beside it, and a sink that joins both.
FlowGraph small_graph(bool lossless, int credits) {
  FlowGraph graph;
  graph.lossless = lossless;
  for (int u = 0; u < 5; ++u) {
    FlowUnit unit;
    unit.nodes = {u};
    unit.is_source = u == 0;
    graph.units.push_back(unit);
    graph.node_rank.push_back(u);
    graph.node_stops.push_back(false);
  }
  for (const std::uint32_t u : {kBehind, kDirect, kJoined}) {
    graph.units[u].sink = SinkKind::kCounting;
    graph.units[u].sink_index = graph.sinks++;
  }
  graph.edges = {{0, 0, 1}, {1, 0, 2}, {0, 0, 3}, {0, 0, 4}, {1, 0, 4}};
  graph.sources.push_back({0, credits, credits});
  return graph;
}

class NoStorage final : public FlowStorage {
 public:
  void release(std::uint32_t, Slot) override { ++released; }
  int released = 0;
};

std::uint64_t sum(const DropCounts& counts) {
  std::uint64_t out = 0;
  for (const std::uint64_t n : counts) out += n;
  return out;
}

std::uint64_t of(const DropCounts& counts, DropReason reason) {
  return counts[static_cast<std::size_t>(reason)];
}

void expect_equations(const FlowCounters& c) {
  for (const SourceCounters& s : c.sources) {
    EXPECT_EQ(s.produced, s.delivered + sum(s.dropped));
  }
  for (const SinkCounters& s : c.sinks) EXPECT_EQ(s.due, s.delivered + sum(s.dropped));
  for (const NodeCounters& n : c.nodes) EXPECT_EQ(n.in, n.processed + n.filtered + sum(n.dropped));
}

class FlowAbandon : public ::testing::Test {
 protected:
  void make(bool lossless, int credits) { core_.emplace(small_graph(lossless, credits), storage_); }
  std::optional<Slot> offer() {
    Actions actions;
    return core_->offer(0, {.source = 0, .number = number_++}, 0, actions);
  }
  // A frame that is inside, and has reached the consumers of the source in `told`.
  Slot enter(std::initializer_list<std::uint32_t> told) {
    const Slot slot = *offer();
    Actions actions;
    core_->enter(0, slot, 0, actions);
    for (const std::uint32_t consumer : told) core_->arrive(kSource, consumer, slot, 0, actions);
    return slot;
  }
  void run(std::uint32_t unit, Slot slot) {
    const NodeRun one{1, 1, 0};
    Outcome outcome;
    outcome.runs = {&one, 1};
    Actions actions;
    core_->finished(unit, slot, outcome, 0, actions);
  }
  const FlowCounters& counters() const { return core_->counters(); }
  const DropCounts& lost(std::uint32_t node) const { return counters().nodes[node].dropped; }

  NoStorage storage_;
  std::optional<FlowCore> core_;
  std::uint64_t number_ = 0;
};

TEST_F(FlowAbandon, AFrameWhoseBodyHangsIsATimeoutAtThatNodeAndAtTheSinksBehindIt) {
  make(false, 3);
  const Slot slot = enter({kSlow, kDirect, kJoined});
  run(kDirect, slot);
  core_->abandon(1);
  EXPECT_TRUE(core_->abandoned());
  EXPECT_TRUE(core_->idle());
  EXPECT_EQ(of(lost(kSlow), DropReason::kTimeout), 1u);
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kTimeout), 1u);
  EXPECT_EQ(counters().sinks[1].delivered, 1u) << "the sink beside it had taken it";
  for (const std::size_t sink : {0, 2}) {
    EXPECT_EQ(counters().sinks[sink].due, 1u);
    EXPECT_EQ(of(counters().sinks[sink].dropped, DropReason::kTimeout), 1u);
  }
  expect_equations(counters());
}

TEST_F(FlowAbandon, FramesThatWaitForTheirTurnAreCancelled) {
  make(false, 3);
  enter({kSlow, kDirect, kJoined});
  const Slot second = enter({kSlow, kDirect, kJoined});
  const Slot third = enter({kDirect});  // its message to the slow unit and to the join has not arrived
  core_->abandon(1);
  EXPECT_NE(second, third);
  EXPECT_EQ(of(lost(kSlow), DropReason::kTimeout), 1u);
  EXPECT_EQ(of(lost(kSlow), DropReason::kCancelled), 2u);
  // One runs in the sink beside it, two wait there.
  EXPECT_EQ(of(lost(kDirect), DropReason::kTimeout), 1u);
  EXPECT_EQ(of(lost(kDirect), DropReason::kCancelled), 2u);
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kTimeout), 1u);
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kCancelled), 2u);
  for (const SinkCounters& sink : counters().sinks) EXPECT_EQ(sink.due, 3u);
  expect_equations(counters());
}

TEST_F(FlowAbandon, AFrameThatIsOnItsWayToASinkIsCancelledThere) {
  make(false, 3);
  const Slot slot = enter({kSlow, kDirect, kJoined});
  run(kSlow, slot);
  run(kDirect, slot);
  core_->abandon(1);
  EXPECT_EQ(counters().nodes[kSlow].processed, 1u);
  EXPECT_EQ(of(counters().sinks[0].dropped, DropReason::kCancelled), 1u);
  EXPECT_EQ(of(counters().sinks[2].dropped, DropReason::kCancelled), 1u);
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kCancelled), 1u);
  expect_equations(counters());
}

TEST_F(FlowAbandon, ACaptureThatWaitsForACreditIsCancelledOnce) {
  make(true, 1);
  enter({kSlow, kDirect, kJoined});
  EXPECT_FALSE(offer());
  core_->abandon(1);
  EXPECT_EQ(counters().sources[0].produced, 2u);
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kCancelled), 1u);
  expect_equations(counters());
  core_->give_up(0, DropReason::kCancelled);  // its thread comes back late
  EXPECT_EQ(of(counters().sources[0].dropped, DropReason::kCancelled), 1u);
  expect_equations(counters());
}

TEST_F(FlowAbandon, WhatIsDoneStaysDelivered) {
  make(false, 3);
  const Slot slot = enter({kSlow, kDirect, kJoined});
  run(kDirect, slot);
  run(kSlow, slot);
  Actions actions;
  core_->arrive(kSlow, kBehind, slot, 0, actions);
  core_->arrive(kSlow, kJoined, slot, 0, actions);
  run(kBehind, slot);
  run(kJoined, slot);
  core_->abandon(1);
  EXPECT_EQ(counters().sources[0].delivered, 1u);
  EXPECT_EQ(sum(counters().sources[0].dropped), 0u);
  expect_equations(counters());
}

// A hung body may still use them.
TEST_F(FlowAbandon, NoPacketIsReleased) {
  make(false, 3);
  enter({kSlow, kDirect, kJoined});
  const int before = storage_.released;
  core_->abandon(1);
  EXPECT_EQ(storage_.released, before);
}

// Random graphs, given up at a random event; where the graph is at that moment is up to the seed.
TEST(FlowAbandonProperty, TheEquationsHoldWheneverItHappens) {
  std::uint64_t timeouts = 0, cancelled = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    const ModelGraph graph = random_graph(seed);
    ManualClock clock;
    Model model(graph);
    DiscreteExecutor executor(model.setup(clock), clock);
    model.attach(executor, clock);
    ASSERT_TRUE(executor.start().ok());
    std::uint64_t events = 0;
    bool given_up = false;
    executor.on_event([&] {
      if (++events != 1 + seed * 7919 % 307) return;
      given_up = true;
      executor.abandon();
    });
    EXPECT_TRUE(executor.wait(0));
    if (!given_up) continue;
    const FlowCounters c = executor.counters();
    expect_equations(c);
    for (std::size_t u = 0; u < graph.flow.units.size(); ++u) {
      const FlowUnit& unit = graph.flow.units[u];
      if (unit.sink != SinkKind::kCounting) continue;
      const SinkCounters& sink = c.sinks[static_cast<std::size_t>(unit.sink_index)];
      EXPECT_EQ(sink.due + sink.filtered, c.sources[static_cast<std::size_t>(unit.source)].produced);
    }
    for (const SourceCounters& s : c.sources) {
      timeouts += of(s.dropped, DropReason::kTimeout);
      cancelled += of(s.dropped, DropReason::kCancelled);
    }
    ASSERT_FALSE(::testing::Test::HasFailure()) << graph.text();
  }
  EXPECT_GE(timeouts, 200u);
  EXPECT_GE(cancelled, 200u);
}

}  // namespace
}  // namespace sluice::testing
