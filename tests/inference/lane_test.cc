// Which run an accelerator gets next, over all its models.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <latch>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "inference/run_queue.h"
#include "tests/inference/session_fixture.h"

namespace sluice::testing {
namespace {

using ::testing::ElementsAre;

std::vector<int> drained(RunQueue<int>& queue) {
  std::vector<int> out;
  while (!queue.empty()) out.push_back(queue.take());
  return out;
}

TEST(RunQueue, PriorityThenDueTimeThenArrival) {
  RunQueue<int> queue;
  queue.add(1, {.priority = 0, .due = 500});
  queue.add(2, {.priority = 0, .due = 100});
  queue.add(3, {.priority = -3, .due = 1});
  queue.add(4, {.priority = 5, .due = kNever});
  queue.add(5, {.priority = 0, .due = 100});
  EXPECT_THAT(drained(queue), ElementsAre(4, 2, 5, 1, 3));
}

// One model of low priority beside one that asks again at once: the driver's queue never lets it run.
TEST(RunQueue, ARunIsOvertakenEightTimesAtMost) {
  RunQueue<int> queue;
  queue.add(-1, {.priority = -10});
  std::vector<int> turns;
  for (int i = 0; i < 20; ++i) {
    queue.add(i, {.priority = 10});
    turns.push_back(queue.take());
    if (turns.back() == -1) queue.add(-1, {.priority = -10});
  }
  EXPECT_EQ(turns[8], -1);
  EXPECT_EQ(turns[18], -1);  // one more had come before it
  EXPECT_EQ(std::ranges::count(turns, -1), 2);
}

TEST(RunQueue, WhoWasOvertakenTooOftenGoesInTheOrderOfArrival) {
  RunQueue<int> queue;
  queue.add(1, {.priority = -5});
  queue.add(2, {.priority = -4});
  for (int i = 0; i < 8; ++i) {
    queue.add(9, {.priority = 1});
    EXPECT_EQ(queue.take(), 9);
  }
  queue.add(9, {.priority = 1});
  EXPECT_THAT(drained(queue), ElementsAre(1, 2, 9));
}

// Two models of one accelerator, each run in a thread of its own as the workers do.
class OneAccelerator : public Sessions {
 protected:
  struct Model {
    Probe probe;
    std::future<std::thread::id> died = probe.died.get_future();
    std::unique_ptr<ProbeBackend> backend;
    SessionHandle session;
  };
  void open(Model& model, Accelerator accelerator, Dims dims) {
    model.probe.accelerator = accelerator;
    model.backend = std::make_unique<ProbeBackend>(model.probe, RunKind::kWaits, 4);
    model.session = table_->open(*model.backend, request({}, dims)).value();
  }
  void start(Model& model, RunOrder order) {
    threads_.emplace_back([&model, order] {
      RunTensors tensors(model.session->signature());
      EXPECT_TRUE(SharedSession::run(model.session, tensors.in, tensors.out, order).ok());
    });
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  void close(Model& model) {
    model.session.reset();
    model.died.wait();
  }

  SteppedClock clock_;
  std::unique_ptr<SessionTable> table_ = std::make_unique<SessionTable>(clock_);
  std::vector<std::thread> threads_;
};

TEST_F(OneAccelerator, TheMostUrgentRunOfAllModelsGoesFirst) {
  Model slow, fast;
  std::latch begun(1), go(1);
  std::mutex mutex;
  std::vector<std::string> order;
  const auto runs = [&](std::string name) {
    return [&, name = std::move(name)](int) {
      {
        std::lock_guard lock(mutex);
        order.push_back(name);
        if (order.size() > 1) return Status();
      }
      begun.count_down();
      go.wait();
      return Status();
    };
  };
  slow.probe.run = runs("slow");
  fast.probe.run = runs("fast");
  open(slow, {.name = "npu", .runs_at_once = 1}, {1, 8});
  open(fast, {.name = "npu", .runs_at_once = 1}, {1, 16});
  start(slow, {.priority = 0});
  begun.wait();
  clock_.await_sleepers(1);
  start(slow, {.priority = 0});
  clock_.await_sleepers(2);
  start(fast, {.priority = 1});
  clock_.await_sleepers(3);
  go.count_down();
  join();
  EXPECT_THAT(order, ElementsAre("slow", "fast", "slow"));
  close(slow);
  close(fast);
}

// Each of two runs waits for the other: only a lane that gives the accelerator both at once ends.
TEST_F(OneAccelerator, GetsAsManyRunsAtOnceAsItTakes) {
  Model one, other;
  std::latch both(2);
  std::atomic<int> at_once{0}, most{0};
  const auto run = [&](int) {
    most = std::max(most.load(), ++at_once);
    both.arrive_and_wait();
    --at_once;
    return Status();
  };
  one.probe.run = other.probe.run = run;
  open(one, {.name = "npu", .runs_at_once = 2}, {1, 8});
  open(other, {.name = "npu", .runs_at_once = 2}, {1, 16});
  start(one, {});
  start(other, {});
  join();
  EXPECT_EQ(most, 2);
  close(one);
  close(other);
}

// A run that hangs takes its thread with it; the other models of the accelerator go on in a new one.
TEST_F(OneAccelerator, AHungRunOfOneModelDoesNotBlockAnother) {
  Model hangs, works;
  std::latch begun(1), freed(1);
  hangs.probe.run = [&](int) {
    begun.count_down();
    freed.wait();
    return Status();
  };
  open(hangs, {.name = "npu", .runs_at_once = 1}, {1, 8});
  open(works, {.name = "npu", .runs_at_once = 1}, {1, 16});
  auto hung = std::async(std::launch::async, [&] {
    RunTensors tensors(hangs.session->signature());
    return SharedSession::run(hangs.session, tensors.in, tensors.out);
  });
  begun.wait();
  clock_.await_sleepers(1);
  start(works, {});
  clock_.await_sleepers(2);
  clock_.advance(from_ms(10'000));
  EXPECT_EQ(hung.get().code(), Code::kTimeout);
  join();
  freed.count_down();
  close(hangs);
  close(works);
}

TEST_F(OneAccelerator, WithoutANameEachModelHasALaneOfItsOwn) {
  Model one, other;
  std::latch both(2);
  one.probe.run = other.probe.run = [&](int) {
    both.arrive_and_wait();
    return Status();
  };
  open(one, {}, {1, 8});
  open(other, {}, {1, 16});
  start(one, {});
  start(other, {});
  join();
  close(one);
  close(other);
}

}  // namespace
}  // namespace sluice::testing
