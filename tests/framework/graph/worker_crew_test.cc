// Who is sent for and who is only called (each worker that has to be sent for costs a task, and TBB some 0.3
// ms of looking for more when it has none), and which worker makes a capture when.
#include "framework/graph/worker_crew.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace sluice {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;

// Sends for workers as the executor does: a thread each, which works until it has rested long enough.
class CrewWithThreads {
 public:
  CrewWithThreads(std::size_t workers, nanoseconds linger) : crew_({workers}), linger_(linger) {
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

 private:
  void work(std::size_t worker) {
    if (!crew_.arrive(worker)) return;
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
  WorkerCrew crew({1});
  crew.reserve(4);
  for (int job = 0; job < 3; ++job) {
    crew.put({0, 0});
    ASSERT_EQ(crew.wake(), 0U);
    EXPECT_TRUE(crew.arrive(0));
    EXPECT_TRUE(crew.take());
    EXPECT_FALSE(crew.take());
    EXPECT_FALSE(crew.rest(0, nanoseconds(0)));
  }
}

TEST(WorkerCrew, ClosingSendsThoseThatRestAway) {
  CrewWithThreads crew(2, hours(1));
  crew.put(0);
  crew.put(0);
  crew.wait_done(2);
  crew.close();
  EXPECT_EQ(crew.done(), 2);
}

TEST(WorkerCrew, AWorkerThatCouldNotBeSentForIsNotWaitedForAndIsSentForAgain) {
  WorkerCrew crew({1});
  crew.reserve(4);
  crew.put({0, 0});
  ASSERT_EQ(crew.wake(), 0U);
  crew.not_sent(0);
  EXPECT_FALSE(crew.arrive(0)) << "a task that is run all the same, when there is a thread again";
  ASSERT_EQ(crew.wake(), 0U);
  EXPECT_TRUE(crew.arrive(0));
  crew.not_sent(0);  // it came before its sender heard that it would not
  EXPECT_TRUE(crew.take());
  EXPECT_FALSE(crew.take());
  EXPECT_FALSE(crew.rest(0, nanoseconds(0)));
  crew.put({0, 0});
  ASSERT_EQ(crew.wake(), 0U);
  crew.close();  // it may never come either
  EXPECT_FALSE(crew.arrive(0));
}

TEST(WorkerCrew, ClosingACrewThatNeverWorkedReturns) {
  WorkerCrew crew({3});
  crew.close();
}

using Stepped = WorkerCrew::Stepped;

// Sources and a graph with so many frames inside as the test says; the workers are the test's own calls.
class WorkersWithSources : public ::testing::Test {
 protected:
  void make(std::size_t workers, std::size_t sources) {
    crew_.emplace(WorkerCrew::Setup{workers, sources, [this] { return inside_; }, 8});
    crew_->reserve(16);
  }
  // So many come, each sent for.
  void come(std::size_t workers) {
    for (std::size_t w = 0; w < workers; ++w) {
      const std::optional<std::size_t> worker = crew_->wake();
      ASSERT_TRUE(worker) << w;
      ASSERT_TRUE(crew_->arrive(*worker)) << w;
    }
  }
  // What the next worker takes: the source's number, -1: a job, -2: nothing.
  int take() {
    const std::optional<WorkerCrew::Work> work = crew_->take();
    return !work ? -2 : work->source ? static_cast<int>(*work->source) : -1;
  }
  void put(int jobs) {
    for (int i = 0; i < jobs; ++i) crew_->put({0, 0});
  }

  int inside_ = 0;
  std::optional<WorkerCrew> crew_;
};

TEST_F(WorkersWithSources, OneWorkerCapturesAndTheOtherHasTheJobs) {
  make(2, 1);
  crew_->source_ready(0);
  put(2);
  come(2);
  inside_ = 4;
  EXPECT_EQ(take(), 0);
  EXPECT_EQ(take(), -1);
  crew_->stepped(0, Stepped::kAgain);
  inside_ = 5;
  EXPECT_EQ(take(), -1);
}

TEST_F(WorkersWithSources, ACaptureIsBetterThanNothingToDo) {
  make(2, 1);
  inside_ = 16;
  crew_->source_ready(0);
  come(1);
  EXPECT_EQ(take(), 0);
}

TEST_F(WorkersWithSources, WhoLeavesWorkForAnotherOneSaysSo) {
  make(2, 1);
  inside_ = 8;
  put(1);
  crew_->source_ready(0);
  come(1);
  const std::optional<WorkerCrew::Work> job = crew_->take();
  ASSERT_TRUE(job && !job->source);
  EXPECT_TRUE(job->more) << "the other one can make a capture meanwhile";
  come(1);
  const std::optional<WorkerCrew::Work> capture = crew_->take();
  ASSERT_TRUE(capture && capture->source);
  EXPECT_FALSE(capture->more);
}

TEST_F(WorkersWithSources, ASourceThatWaitsIsTakenOnlyWhenItIsReadyAgain) {
  make(1, 1);
  crew_->source_ready(0);
  come(1);
  EXPECT_EQ(take(), 0);
  crew_->stepped(0, Stepped::kWaits);
  EXPECT_EQ(take(), -2);
  EXPECT_FALSE(crew_->rest(0, nanoseconds(0)));
  crew_->source_ready(0);
  come(1);
  EXPECT_EQ(take(), 0);
  crew_->source_ready(0);  // what it waits for came before it said that it does
  crew_->stepped(0, Stepped::kWaits);
  EXPECT_EQ(take(), 0);
  crew_->stepped(0, Stepped::kEnded);
  crew_->source_ready(0);
  EXPECT_EQ(take(), -2);
}

TEST_F(WorkersWithSources, OneSourceGoesOnForAWhileThenTheNextOneComes) {
  make(1, 3);
  for (std::size_t s = 0; s < 3; ++s) crew_->source_ready(s);
  come(1);
  std::vector<int> turns;
  int captures = 0;
  for (; captures < 1000 && turns.size() < 4; ++captures) {
    const int source = take();
    if (turns.empty() || turns.back() != source) turns.push_back(source);
    crew_->stepped(static_cast<std::size_t>(source), Stepped::kAgain);
  }
  EXPECT_EQ(turns, (std::vector{0, 1, 2, 0}));
  EXPECT_GE(captures, 3 * 16 + 1);
}

TEST_F(WorkersWithSources, NoSecondSourceForAGraphThatDoesNotKeepUp) {
  make(2, 2);
  crew_->source_ready(0);
  crew_->source_ready(1);
  come(2);
  EXPECT_EQ(take(), 0);
  inside_ = 17;
  EXPECT_EQ(take(), -2);
  EXPECT_FALSE(crew_->rest(1, nanoseconds(0)));
  EXPECT_FALSE(crew_->wake());
  inside_ = 16;
  come(1);
  EXPECT_EQ(take(), 1);
}

TEST_F(WorkersWithSources, ASourceThatWaitsKeepsNoOtherOne) {
  make(1, 2);
  crew_->source_ready(0);
  crew_->source_ready(1);
  come(1);
  EXPECT_EQ(take(), 0);
  inside_ = 17;  // more than enough, and all may wait for what the other one captures
  crew_->source_rests(true);
  come(1);
  EXPECT_EQ(take(), 1);
}

TEST_F(WorkersWithSources, AWorkerThatWaitsInASourceLendsItsPlace) {
  make(1, 2);
  crew_->source_ready(0);
  come(1);
  EXPECT_EQ(take(), 0);
  put(1);
  crew_->source_ready(1);
  EXPECT_FALSE(crew_->wake());
  crew_->source_rests(true);
  come(1);
  EXPECT_EQ(take(), -1);
  EXPECT_EQ(take(), 1);  // which may be what the frames wait for
  crew_->source_rests(true);
  put(1);
  come(1);
  EXPECT_EQ(take(), -1);
  crew_->source_rests(false);
  put(1);
  EXPECT_EQ(take(), -2) << "one too many is at work";
}

}  // namespace
}  // namespace sluice
