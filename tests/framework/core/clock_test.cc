#include "framework/core/clock.h"
#include "framework/core/ticks.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(ManualClock, RunsTimersInOrderOfTimeThenKey) {
  ManualClock clock;
  std::vector<int> order;
  clock.at(20, {0, 0}, [&] { order.push_back(3); });
  clock.at(10, {2, 0}, [&] { order.push_back(2); });
  clock.at(10, {1, 0}, [&] { order.push_back(1); });
  clock.advance_to(30);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(clock.now(), 30);
}

TEST(ManualClock, ATimerInThePastIsDueNow) {
  ManualClock clock;
  clock.advance_to(100);
  clock.at(5, {}, [] {});
  EXPECT_EQ(clock.next_due(), 100);
}

TEST(ManualClock, CancelledTimersDoNotRun) {
  ManualClock clock;
  bool ran = false;
  const TimerId id = clock.at(1, {}, [&] { ran = true; });
  clock.cancel(id);
  EXPECT_FALSE(clock.advance_one());
  EXPECT_FALSE(ran);
}

TEST(ManualClock, AdvanceOneHonoursItsLimit) {
  ManualClock clock;
  clock.at(10, {}, [] {});
  EXPECT_FALSE(clock.advance_one(9));
  EXPECT_TRUE(clock.advance_one(10));
}

TEST(ManualClock, WakesASleeperWhenItsTimeHasCome) {
  ManualClock clock;
  std::atomic<bool> slept{false};
  std::thread sleeper([&] { slept = clock.sleep_until(50, [] { return false; }); });
  clock.advance_to(50);
  sleeper.join();
  EXPECT_TRUE(slept);
}

TEST(SteadyClock, CallsBackAndCancelWaitsForARunningCallback) {
  SteadyClock clock;
  std::atomic<int> state{0};
  std::atomic<bool> go{false};
  const TimerId id = clock.at(clock.now(), {}, [&] {
    state = 1;
    while (!go) std::this_thread::yield();
    state = 2;
  });
  while (state == 0) std::this_thread::yield();
  std::thread releaser([&] { go = true; });
  clock.cancel(id);
  EXPECT_EQ(state, 2);
  releaser.join();
}

TEST(SteadyClock, CancellingNothingReturnsAtOnce) {
  SteadyClock clock;
  clock.cancel(0);
  clock.cancel(12345);
}

TEST(SteadyClock, InterruptWakesASleeperWhoseConditionHolds) {
  SteadyClock clock;
  std::atomic<bool> stop{false};
  bool slept = true;
  std::thread sleeper([&] { slept = clock.sleep_until(kNever / 2, [&] { return stop.load(); }); });
  stop = true;
  clock.interrupt();
  sleeper.join();
  EXPECT_FALSE(slept);
}

// A thread that loses its core between any two reads: for 4 ms, at each place in turn.
TEST(Ticks, PreemptionDoesNotFalsifyTheirLength) {
  for (int at = 0; at < 40; ++at) {
    TimeNs now = 1'000'000;
    int reads = 0;
    const auto pass = [&] {
      now += reads++ == at ? 4'000'000 : 25;
      return now;
    };
    const auto ticks = [&] { return static_cast<std::uint64_t>(pass()) * 2; };
    EXPECT_NEAR(measure_ns_per_tick(ticks, pass), 0.5, 0.5e-3) << "preempted before read " << at;
  }
}

TEST(Ticks, PreemptionAtTheEndDoesNotFalsifyTheirLength) {
  for (int late = 0; late < 30; ++late) {
    TimeNs now = 1'000'000;
    int after = 0;
    const auto pass = [&] {
      const bool ends = now > 6'000'000 && after++ == late;
      now += ends ? 4'000'000 : 25;
      return now;
    };
    const auto ticks = [&] { return static_cast<std::uint64_t>(pass()) * 2; };
    EXPECT_NEAR(measure_ns_per_tick(ticks, pass), 0.5, 0.5e-3)
        << "preempted " << late << " reads after the end";
  }
}

}  // namespace
}  // namespace sluice
