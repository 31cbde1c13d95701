// Who is sent for and who is only called: each worker that has to be sent for costs a task, and TBB some
// 0.3 ms of looking for more when it has none.
#include "framework/graph/worker_crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

// Sends for workers as the executor does: a thread each, which works until it has rested long enough.
class CrewWithThreads {
 public:
  CrewWithThreads(std::size_t workers, nanoseconds linger) : crew_(workers), linger_(linger) {
    crew_.reserve(64);
  }
  ~CrewWithThreads() { close(); }

  void put(std::uint32_t unit) {
    crew_.put({unit, 0});
    wake();
  }
  void wake() {
    while (const std::optional<std::size_t> worker = crew_.wake()) {
      ++sent_for_;
      threads_.emplace_back([this, w = *worker] { work(w); });
    }
  }
  void wait_done(int jobs) {
    for (int done = done_; done < jobs; done = done_) done_.wait(done);
  }
  // Worker threads are over.
  void close() {
    crew_.close();
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  int sent_for() const { return sent_for_; }
  int done() const { return done_; }
  WorkerCrew& crew() { return crew_; }

 private:
  void work(std::size_t worker) {
    crew_.arrive();
    do {
      while (crew_.take()) {
        ++done_;
        done_.notify_all();
      }
    } while (crew_.rest(worker, linger_));
  }

  WorkerCrew crew_;
  const nanoseconds linger_;
  std::vector<std::thread> threads_;
  int sent_for_ = 0;
  std::atomic<int> done_{0};
};

TEST(WorkerCrew, AWorkerThatRestsIsCalledAndNotSentForAgain) {
  CrewWithThreads crew(1, hours(1));
  for (int job = 1; job <= 100; ++job) {
    crew.put(0);
    crew.wait_done(job);
  }
  EXPECT_EQ(crew.sent_for(), 1);
}

TEST(WorkerCrew, NoMoreWorkersAreSentForThanThereAre) {
  CrewWithThreads crew(2, hours(1));
  for (int round = 1; round <= 100; ++round) {
    for (int i = 0; i < 4; ++i) crew.put(0);
    crew.wait_done(4 * round);
  }
  EXPECT_LE(crew.sent_for(), 2);
}

TEST(WorkerCrew, AWorkerThatHasRestedLongEnoughGoesAndIsSentForAgain) {
  WorkerCrew crew(1);
  crew.reserve(4);
  for (int job = 0; job < 3; ++job) {
    crew.put({0, 0});
    ASSERT_EQ(crew.wake(), 0U);
    crew.arrive();
    EXPECT_TRUE(crew.take());
    EXPECT_FALSE(crew.take());
    EXPECT_FALSE(crew.rest(0, nanoseconds(0)));
  }
}

TEST(WorkerCrew, AJobIsNotLeftToAWorkerThatMayNotWork) {
  CrewWithThreads crew(2, hours(1));
  crew.crew().source_rests(false);  // one source at work: room for one worker
  for (int i = 0; i < 4; ++i) crew.put(0);
  crew.wait_done(4);
  EXPECT_EQ(crew.sent_for(), 1);
  crew.crew().source_rests(true);
}

TEST(WorkerCrew, ClosingSendsThoseThatRestAway) {
  CrewWithThreads crew(2, hours(1));
  crew.put(0);
  crew.put(0);
  crew.wait_done(2);
  crew.close();
  EXPECT_EQ(crew.done(), 2);
}

TEST(WorkerCrew, ClosingACrewThatNeverWorkedReturns) {
  WorkerCrew crew(3);
  crew.close();
}

}  // namespace
}  // namespace sluice
