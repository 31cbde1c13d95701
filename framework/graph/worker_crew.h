// What the workers do next: jobs that the core has started, and captures of sources that only compute. Knows
// no thread: the executor has workers come where it is told to, and each calls in here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

#include "framework/graph/waiting_work.h"

namespace sluice {

// A source that computes as fast as it can (a file's decoder) has no thread of its own here: beside workers
// that are always busy it would be one thread more than there are cores. The system then stops a worker in
// the middle of a frame, and moves it to a core where another one computes, while the one it was on falls
// idle: 2 to 8 % of two cores, measured. So the workers decode, when few frames are inside, which are then
// still warm when their turn comes; and of many sources one goes on for a while, since its decoder is warm
// too.
//
// Any thread.
class WorkerCrew {
 public:
  struct Setup {
    std::size_t workers = 1;
    std::size_t sources = 0;  // how many there are numbers for; one that is never ready is not the workers'
    // Frames inside the graph; takes no lock.
    std::function<int()> inside = [] { return 0; };
    int enough = 1;  // frames inside that keep the graph busy
  };
  struct Work {
    std::optional<std::size_t> source;  // to step; none: the job
    Job job;
    bool more = false;  // there is work for another one too: call `wake`
  };
  enum class Stepped : std::uint8_t { kAgain, kWaits, kEnded };

  explicit WorkerCrew(Setup setup);

  // How many workers may be sent for: one more per source, since a worker that waits in one lends its place.
  std::size_t most_workers() const { return setup_.workers + setup_.sources; }
  // Room for this many jobs; before the first one.
  void reserve(std::size_t most) { ready_.reserve(most); }
  void put(Job job);
  // A source begins, or something came that it may wait for. Call `wake` then.
  void source_ready(std::size_t source);
  // How the step of a source ended that the calling worker took.
  void stepped(std::size_t source, Stepped how);
  // The calling worker waits in a source, asleep (true; call `wake` then), or goes on.
  void source_rests(bool rests);
  // Has as many workers come as there is work that nobody is coming for, and room. Those that rest come by
  // themselves; the one that is returned must be sent for: call again until there is none.
  std::optional<std::size_t> wake();
  // It could not be sent for: it has gone again, and its task is refused should it be run all the same.
  void not_sent(std::size_t worker);
  // The task of a worker that was sent for begins. False: nobody waits for it, nothing of this object is
  // touched any more.
  bool arrive(std::size_t worker);
  // The next work of a worker; none: `rest`.
  std::optional<Work> take();
  // Blocks, asleep, until there is more to do (true), or nothing was for as long as `linger`, which may be 0:
  // false, then the worker has gone, and nothing of this object is touched any more.
  bool rest(std::size_t worker, std::chrono::nanoseconds linger);
  // Nobody rests from now on. Blocks until every worker has gone; when one could not be sent for, others
  // whose tasks have not begun may never come either, and are not waited for.
  void close();

 private:
  // Where a worker rests.
  struct Place {
    std::condition_variable called;
    bool is_called = false;
    bool is_sent_for = false;  // its task has not begun
  };
  struct Source {
    enum class State : std::uint8_t { kWaits, kReady, kStepped, kEnded } state = State::kWaits;
    bool told = false;  // became ready while it was stepped
    int made = 0;       // steps of its turn
  };

  // Waits in its place; false: nobody called.
  bool is_called(std::size_t worker, std::chrono::nanoseconds linger, std::unique_lock<std::mutex>& lock);
  void go(std::size_t worker);
  void call_off(std::size_t worker);
  Work next_source();
  bool source_comes_first() const;
  bool may_step() const;
  // No source is at work: those that wait may wait for the frames of another one.
  bool none_captures() const { return stepping_ == waiting_in_sources_; }
  bool needs_a_worker() const { return work() > coming_ && at_work() < room(); }
  // How many workers are at work or coming, and how many may be.
  std::size_t at_work() const { return most_workers() - idle_.size() - resting_.size() - leaving_; }
  std::size_t room() const { return setup_.workers + waiting_in_sources_; }
  std::size_t work() const { return ready_.size() + (may_step() ? 1 : 0); }

  const Setup setup_;
  std::mutex mutex_;  // guards what follows
  ReadyJobs ready_;
  std::vector<Source> sources_;
  std::deque<std::size_t> ready_sources_;  // the first one comes next
  std::size_t stepping_ = 0;               // sources, by as many workers
  std::size_t waiting_in_sources_ = 0;     // of those
  std::vector<std::size_t> resting_;       // the last to rest is called first: its caches are warm
  std::vector<std::size_t> idle_;          // gone; the last one to go comes back first
  std::vector<Place> places_;              // by worker
  std::size_t coming_ = 0;                 // called or sent for, not at work yet
  std::size_t leaving_ = 0;                // found no work, do not rest yet
  bool lost_one_ = false;                  // see `not_sent`
  bool closed_ = false;
  std::condition_variable all_idle_;
};

}  // namespace sluice
