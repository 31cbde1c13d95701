// Which workers are at work, and the jobs that wait for one. Knows no thread: the executor has workers come
// where it is told to, and each calls in here.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "framework/graph/waiting_work.h"

namespace sluice {

// Any thread.
class WorkerCrew {
 public:
  explicit WorkerCrew(std::size_t workers);

  // Room for this many jobs; before the first one.
  void reserve(std::size_t most) { ready_.reserve(most); }
  void put(Job job);
  // Has as many workers come as there are jobs that nobody is coming for, and room. Those that rest come by
  // themselves; the one that is returned must be sent for: call again until there is none.
  std::optional<std::size_t> wake();
  // A worker that was sent for is at work.
  void arrive();
  // The next job of a worker; none: `rest`.
  std::optional<Job> take();
  // Blocks, asleep, until there is more to do (true), or nothing was for as long as `linger`, which may be 0:
  // false, then the worker has gone, and nothing of this object is touched any more.
  bool rest(std::size_t worker, std::chrono::nanoseconds linger);
  // A source that neither sleeps nor waits has a core to itself, because nothing makes up for a decoder that
  // was held up; one that waits for the graph lends its core to a worker.
  void source_rests(bool rests);
  // Nobody rests from now on. Blocks until every worker has gone.
  void close();

 private:
  // Where a worker rests.
  struct Place {
    std::condition_variable called;
    bool is_called = false;
  };

  // Waits in its place; false: nobody called.
  bool is_called(std::size_t worker, std::chrono::nanoseconds linger, std::unique_lock<std::mutex>& lock);
  // How many workers are at work or coming, and how many may be.
  std::size_t at_work() const { return workers_ - idle_.size() - resting_.size(); }
  std::size_t room() const { return workers_ > busy_sources_ ? workers_ - busy_sources_ : 1; }
  bool has_work() const { return !ready_.empty() && at_work() <= room(); }

  const std::size_t workers_;
  std::mutex mutex_;  // guards what follows
  ReadyJobs ready_;
  std::vector<std::size_t> resting_;  // the last to rest is called first: its caches are warm
  std::vector<std::size_t> idle_;     // gone; the last one to go comes back first
  std::vector<Place> places_;         // by worker
  std::size_t coming_ = 0;            // called or sent for, not at work yet
  std::size_t busy_sources_ = 0;
  bool closed_ = false;
  std::condition_variable all_idle_;
};

}  // namespace sluice
