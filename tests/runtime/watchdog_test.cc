#include "runtime/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "framework/core/log.h"
#include "tests/runtime/registry_fixture.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::mutex messages_mutex;
std::vector<std::string> messages;

// camera -> out, one unit each.
Plan example() {
  Plan plan;
  const auto add = [&plan](const char* id, NodeDeclaration declaration, int unit) {
    NodePlan node;
    node.id = id;
    node.declaration = std::make_shared<const NodeDeclaration>(std::move(declaration));
    node.unit = unit;
    plan.nodes.push_back(std::move(node));
    plan.units.push_back({{unit}, 0, 1, 0, WhenFull::kBlock});
  };
  add("camera", testing::camera_declaration(), 0);
  add("out", testing::sink_declaration(), 1);
  plan.edges.resize(1);
  plan.edges[0].to_node = 1;
  plan.sources.resize(1);
  return plan;
}

FlowGraph flow_of_example() {
  FlowGraph flow;
  flow.units.resize(2);
  flow.units[0].nodes = {0};
  flow.units[0].is_source = true;
  flow.units[1].nodes = {1};
  flow.units[1].sink = SinkKind::kCounting;
  flow.units[1].sink_index = 0;
  flow.edges = {{0, 0, 1}};
  flow.sources = {{0, 2, 2}};
  flow.node_rank = {0, 1};
  flow.node_stops = {false, true};
  flow.sinks = 1;
  return flow;
}

class NoBodies final : public Bodies, public FlowStorage {
 public:
  Outcome run(std::uint32_t, Slot, const FrameInfo&) override { return {}; }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
};

class NoFeed final : public SourceFeed {
 public:
  TimeNs next_due() override { return 0; }
  Result<FrameInfo> next() override { return end_of_stream(); }
  TimeNs enter_due() override { return 0; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}
  bool external() const override { return true; }
  bool waits_for_buffer() const override { return starved; }
  bool starved = false;
};

// Carries no message: whatever enters stays.
class StuckExecutor final : public Executor {
 public:
  using Executor::Executor;
  Status start() override { return {}; }
  bool wait(double) override { return false; }
  void shut_down() override {}
  // The message of the frame in `slot` comes after all: the unit behind the source runs, and never ends.
  void arrive(Slot slot) {
    with_core([&](FlowCore& core, TimeNs now, Actions& actions) { core.arrive(0, 1, slot, now, actions); });
  }
  void end(Slot slot) {
    const NodeRun one{1, 0, 0};
    Outcome outcome;
    outcome.runs = {&one, 1};
    finish(1, slot, outcome);
  }
  bool finished() const { return finished_locked(); }

 protected:
  void carry_out(const Actions&) override {}
  void wake_sources() override {}
};

class WatchdogTest : public ::testing::Test {
 public:
  ~WatchdogTest() override { set_log_sink(nullptr); }

 protected:
  WatchdogTest() {
    messages.clear();
    set_log_sink([](LogLevel, std::string_view message) {
      std::lock_guard lock(messages_mutex);
      messages.emplace_back(message);
    });
  }
  ExecutorSetup setup() {
    ExecutorSetup out;
    out.graph = flow_of_example();
    out.threads = {ThreadKind::kOwn, ThreadKind::kOwn};
    out.feeds = {&feed_};
    out.bodies = &bodies_;
    out.storage = &bodies_;
    out.clock = &clock_;
    return out;
  }

  ManualClock clock_;
  NoBodies bodies_;
  NoFeed feed_;
  Plan plan_ = example();
};

TEST_F(WatchdogTest, NamesNodePortAndFrameOnce) {
  StuckExecutor executor(setup());
  WatchdogLimits limits;
  limits.standstill = from_s(1000);
  Watchdog watchdog(plan_, executor, clock_, [](const Status&) {}, limits);
  clock_.advance_to(from_s(60));
  EXPECT_EQ(watchdog.stalls(), 0u) << "nothing is inside";
  executor.push(0, {.source = 0, .number = 7});
  clock_.advance_to(from_s(69));
  EXPECT_EQ(watchdog.stalls(), 0u);
  clock_.advance_to(from_s(120));
  EXPECT_THAT(messages, ElementsAre("nothing has moved for 10 s:\n"
                                    "  the message of 'camera' to port 'in' of node 'out' for frame 7 of "
                                    "'camera' is lost\n"));
  executor.push(0, {.source = 0, .number = 8});
  executor.arrive(0);  // something moved
  clock_.advance_to(from_s(200));
  ASSERT_EQ(messages.size(), 2u) << "a second stall";
  EXPECT_THAT(messages[1], HasSubstr("is still working on frame 7 of 'camera'\n  the message"));
  EXPECT_EQ(watchdog.stalls(), 2u);
}

// Lossless, and the application keeps packets of an app_sink: it may go on whenever it likes.
TEST_F(WatchdogTest, ASourceWithoutBuffersIsNamedAndLeftAlone) {
  StuckExecutor executor(setup());
  std::string given_up;
  Watchdog watchdog(plan_, executor, clock_, [&](const Status& why) { given_up = why.message(); });
  feed_.starved = true;
  clock_.advance_to(from_s(500));
  EXPECT_THAT(messages, ElementsAre("nothing has moved for 10 s:\n  source 'camera' waits for a free buffer, "
                                    "and no frame is inside: the application keeps its packets\n"));
  EXPECT_EQ(given_up, "");
  executor.push(0, {.source = 0, .number = 0});
  executor.arrive(0);
  clock_.advance_to(from_s(520));
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_THAT(messages[1], HasSubstr("source 'camera' waits for a free buffer\n  node 'out' is still"));
}

// A camera, or an application, goes on beside a node that hangs.
TEST_F(WatchdogTest, FramesThatAreOfferedAreNoProgress) {
  StuckExecutor executor(setup());
  std::string given_up;
  Watchdog watchdog(plan_, executor, clock_, [&](const Status& why) { given_up = why.message(); });
  std::uint64_t number = 0;
  const auto push_until = [&](int second) {
    for (; clock_.now() < from_s(second); clock_.advance_to(clock_.now() + from_ms(500)))
      executor.push(0, {.source = 0, .number = number++});
  };
  executor.push(0, {.source = 0, .number = number++});
  executor.arrive(0);
  push_until(11);
  EXPECT_EQ(watchdog.stalls(), 1u);
  ASSERT_FALSE(messages.empty());
  EXPECT_THAT(messages[0], HasSubstr("node 'out' is still working on frame 0 of 'camera'"));
  executor.stop();
  push_until(30);
  EXPECT_THAT(given_up, HasSubstr("node 'out' is still working on frame 0 of 'camera'; "));
}

TEST_F(WatchdogTest, ANodeThatHangsWhileOthersGoOnIsNamedOncePerFrame) {
  ExecutorSetup wide = setup();
  wide.graph.units[1].concurrency = 2;
  StuckExecutor executor(std::move(wide));
  Watchdog watchdog(plan_, executor, clock_, [](const Status&) {});
  executor.push(0, {.source = 0, .number = 0});
  executor.arrive(0);
  for (std::uint64_t number = 1; number < 40; ++number) {
    executor.push(0, {.source = 0, .number = number});
    executor.arrive(1);
    executor.end(1);
    clock_.advance_to(clock_.now() + from_s(1));
  }
  EXPECT_EQ(watchdog.stalls(), 0u);
  EXPECT_THAT(messages, ElementsAre("for 10 s and more, while others go on:\n"
                                    "  node 'out' is still working on frame 0 of 'camera'\n"));
}

TEST_F(WatchdogTest, APushAfterTheRunWasAbandonedChangesNothing) {
  ExecutorSetup lossless = setup();
  lossless.graph.lossless = true;
  StuckExecutor executor(std::move(lossless));
  executor.push(0, {.source = 0, .number = 0});
  executor.abandon();
  EXPECT_TRUE(executor.finished());
  EXPECT_EQ(executor.push(0, {.source = 0, .number = 1}), Executor::Offered::kStopped);
  EXPECT_TRUE(executor.finished());
  EXPECT_EQ(executor.counters().sources[0].produced, 1u);
}

TEST_F(WatchdogTest, SaysWhatIsWaitedFor) {
  const auto say = [this](Waiting::For what) {
    return Watchdog::describe(plan_, {{1, {.source = 0, .number = 3}, what, 0}});
  };
  EXPECT_EQ(say(Waiting::For::kInput),
            "  node 'out' waits at port 'in' for frame 3 of 'camera' from 'camera'\n");
  EXPECT_EQ(say(Waiting::For::kTurn), "  frame 3 of 'camera' waits for its turn at node 'out'\n");
  EXPECT_EQ(say(Waiting::For::kRun), "  node 'out' is still working on frame 3 of 'camera'\n");
  EXPECT_EQ(say(Waiting::For::kPool), "  node 'out' waits for a free buffer for frame 3 of 'camera'\n");
  EXPECT_THAT(Watchdog::describe(plan_, std::vector<Waiting>(13, {1, {}, Waiting::For::kRun, 0})),
              ::testing::EndsWith("  and 3 more\n"));
}

}  // namespace
}  // namespace sluice
