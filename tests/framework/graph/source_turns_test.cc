// Who may decode at once: in order, no more than there are idle cores for, each for a while.
#include "framework/graph/source_turns.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace sluice {
namespace {

constexpr TimeNs kMs = 1'000'000;

// A machine whose time and load the test sets.
class Machine {
 public:
  explicit Machine(int cores, std::chrono::milliseconds patience = std::chrono::hours(1))
      : cores_(cores), patience_(patience) {}
  SourceTurns::Machine view() {
    return {cores_, [this] { return now_.load(); }, [this] { return cpu_.load(); }, patience_};
  }
  // So long, with so many cores at work on average.
  void pass(TimeNs span, double busy_cores) {
    cpu_ += static_cast<TimeNs>(static_cast<double>(span) * busy_cores);
    now_ += span;
  }

  std::atomic<bool> graph_behind{false};  // of the graph that runs on it

 private:
  const int cores_;
  const std::chrono::milliseconds patience_;
  std::atomic<TimeNs> now_{0};
  std::atomic<TimeNs> cpu_{0};
};

SourceTurns turns_on(Machine& machine, std::size_t sources) {
  return {machine.view(), [&machine] { return machine.graph_behind.load(); }, sources};
}

// Asks for a turn in a thread of its own.
std::future<void> ask(SourceTurns& turns, std::size_t source) {
  const int before = turns.waiting();
  std::future<void> turn = std::async(std::launch::async, [&turns, source] { turns.take(source); });
  while (turns.waiting() == before && turn.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    std::this_thread::yield();
  return turn;
}

bool has(const std::future<void>& turn) {
  return turn.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

// Two cores, one source at work and one that waits for it.
class OneAtWork : public ::testing::Test {
 protected:
  OneAtWork() {
    turns_.take(0);
    other_ = ask(turns_, 1);
  }
  void TearDown() override { turns_.end(); }

  Machine machine_{2};
  SourceTurns turns_ = turns_on(machine_, 2);
  std::future<void> other_;
};

TEST(SourceTurns, HalfOfTheCoresAtFirstAndAtLeastOne) {
  for (const auto& [cores, at_once] : {std::pair{1, 1}, {2, 1}, {3, 1}, {8, 4}}) {
    Machine machine(cores);
    EXPECT_EQ(turns_on(machine, 16).allowed(), at_once) << cores;
  }
}

TEST(SourceTurns, SourcesComeInTheOrderInWhichTheyAsk) {
  Machine machine(2);
  SourceTurns turns = turns_on(machine, 4);
  turns.take(0);
  std::future<void> first = ask(turns, 2), second = ask(turns, 1);
  EXPECT_EQ(turns.waiting(), 2);
  turns.give_back();
  first.get();
  EXPECT_FALSE(has(second));
  turns.give_back();
  second.get();
  turns.give_back();
}

TEST_F(OneAtWork, MakesRoomBetweenTwoCapturesWhenItWasLongEnough) {
  turns_.yield(0);  // not long enough
  EXPECT_FALSE(has(other_));
  machine_.pass(200 * kMs, 2);
  std::future<void> back = std::async(std::launch::async, [&] { turns_.yield(0); });
  other_.get();
  while (turns_.waiting() == 0) std::this_thread::yield();
  EXPECT_FALSE(has(back));
  turns_.give_back();
  back.get();
}

TEST(SourceTurns, MoreWorkAtOnceWhileCoresAreIdleButNotMoreThanCores) {
  Machine machine(2);
  SourceTurns turns = turns_on(machine, 4);
  turns.take(0);
  std::future<void> second = ask(turns, 1), third = ask(turns, 2);
  machine.pass(60 * kMs, 1);  // one of two cores is idle
  turns.yield(0);
  second.get();
  EXPECT_EQ(turns.allowed(), 2);
  machine.pass(60 * kMs, 0.5);
  turns.yield(1);
  EXPECT_EQ(turns.allowed(), 2);
  EXPECT_FALSE(has(third));
  turns.end();
}

TEST(SourceTurns, FewerWorkAtOnceWhenNothingIsIdleAndFramesPileUpButOneAlwaysDoes) {
  Machine machine(8);
  SourceTurns turns = turns_on(machine, 16);
  for (std::size_t source = 0; source < 4; ++source) turns.take(source);
  std::future<void> next = ask(turns, 4);
  machine.graph_behind = true;
  for (int left = 3; left > 0; --left) {
    machine.pass(60 * kMs, 8);
    turns.give_back();
    EXPECT_EQ(turns.allowed(), left);
    EXPECT_FALSE(has(next)) << left;
  }
  machine.pass(60 * kMs, 8);
  turns.give_back();
  next.get();
  EXPECT_EQ(turns.allowed(), 1);
  turns.give_back();
}

TEST(SourceTurns, AsManyWorkAsBeforeWhileTheGraphKeepsUp) {
  Machine machine(8);
  SourceTurns turns = turns_on(machine, 16);
  for (std::size_t source = 0; source < 4; ++source) turns.take(source);
  std::future<void> next = ask(turns, 4);
  machine.pass(60 * kMs, 8);
  turns.give_back();
  next.get();
  EXPECT_EQ(turns.allowed(), 4);
  turns.end();
}

TEST_F(OneAtWork, IsEnoughForAGraphThatDoesNotKeepUpAlthoughCoresAreIdle) {
  machine_.graph_behind = true;
  machine_.pass(60 * kMs, 1);
  turns_.yield(0);
  EXPECT_EQ(turns_.allowed(), 1);
  EXPECT_FALSE(has(other_));
}

TEST(SourceTurns, OnesThatStandStillDoNotKeepTheOthers) {
  Machine machine(1, std::chrono::milliseconds(20));
  SourceTurns turns = turns_on(machine, 3);
  turns.take(0);  // and never comes back
  std::future<void> second = ask(turns, 1), third = ask(turns, 2);
  second.get();
  third.get();
  EXPECT_EQ(turns.allowed(), 1);
}

TEST_F(OneAtWork, KeepsTheCoreAfterAShortSpan) {
  machine_.pass(1 * kMs, 0);
  turns_.yield(0);
  EXPECT_EQ(turns_.allowed(), 1);
  EXPECT_FALSE(has(other_));
}

TEST(SourceTurns, NobodyWaitsAfterTheEnd) {
  Machine machine(1);
  SourceTurns turns = turns_on(machine, 4);
  turns.take(0);
  std::future<void> waits = ask(turns, 1);
  turns.end();
  waits.get();
  turns.take(2);
  turns.yield(0);
  for (int i = 0; i < 3; ++i) turns.give_back();
}

TEST(SourceTurns, ThisProcessHasATimeThatGoesOn) {
  const SourceTurns::Machine machine = SourceTurns::this_process();
  EXPECT_GE(machine.cores, 1);
  const TimeNs cpu = machine.cpu_time(), now = machine.now();
  while (machine.cpu_time() == cpu) {
  }
  EXPECT_GT(machine.cpu_time(), cpu);
  EXPECT_GT(machine.now(), now);
}

}  // namespace
}  // namespace sluice
