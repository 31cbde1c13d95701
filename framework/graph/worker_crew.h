// Which workers are at work, and the jobs that wait for one. Knows no thread: the executor wakes workers
// where it is told to.
#pragma once

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
  // A worker to be woken now; call again until there is none. As many come as there are jobs that nobody is
  // coming for, and room.
  std::optional<std::size_t> wake();
  // A woken worker is at work.
  void arrive();
  // The next job of a worker; none: `leave`.
  std::optional<Job> take();
  // False: there is more to do. True: the worker rests, and nothing of this object is touched any more.
  bool leave(std::size_t worker);
  // A source that neither sleeps nor waits has a core to itself, because nothing makes up for a decoder that
  // was held up; one that waits for the graph lends its core to a worker.
  void source_rests(bool rests);
  // Blocks until every worker rests.
  void wait_all_idle();

 private:
  // How many workers are at work or coming, and how many may be.
  std::size_t at_work() const { return workers_ - idle_.size(); }
  std::size_t room() const { return workers_ > busy_sources_ ? workers_ - busy_sources_ : 1; }

  const std::size_t workers_;
  std::mutex mutex_;  // guards what follows
  ReadyJobs ready_;
  std::vector<std::size_t> idle_;  // the last to become idle is woken first: its caches are warm
  std::size_t coming_ = 0;         // woken, not at work yet
  std::size_t busy_sources_ = 0;
  std::condition_variable all_idle_;
};

}  // namespace sluice
