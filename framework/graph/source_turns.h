// Which sources may work at once, where several compute as fast as they can. More decoders than the machine
// has room for only take the caches from one another, and what they decode early grows cold before a worker
// has it: sixteen 720p streams on two cores decode a picture in 1.4 ms one after the other, in 1.8 ms all at
// once.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

#include "framework/core/clock.h"

namespace sluice {

// Sources come in the order in which they ask. One more may work while a core is idle, by the process's own
// CPU time, which counts all that the program does, also in threads of libraries; one less when the cores are
// busy and the graph does not keep up. Any thread.
class SourceTurns {
 public:
  struct Machine {
    int cores = 1;
    std::function<TimeNs()> now;       // a clock that goes on
    std::function<TimeNs()> cpu_time;  // of all threads of the process together
    // Real time without any capture after which those at work are taken to stand still, on a disk that does
    // not answer, say; the next one comes then, however many are at work.
    std::chrono::milliseconds patience{2000};
  };
  // `graph_behind`: more frames are inside the graph than it needs to be busy. Called with this object's lock
  // held.
  SourceTurns(Machine machine, std::function<bool()> graph_behind, std::size_t sources);
  // This process on this machine.
  static Machine this_process();

  // Blocks until that source, the calling one, may work.
  void take(std::size_t source);
  // Between two captures: the next source comes when this one has worked for long enough.
  void yield(std::size_t source);
  // It waits for something, or has ended.
  void give_back();
  // Nobody waits any more, now and later: the run stops.
  void end();

  int allowed() const;  // at work at once
  int waiting() const;

 private:
  struct Place {
    std::size_t source;
    std::condition_variable called;
    bool is_called = false;
  };
  void adapt();
  void let_in();
  void let_first_in();
  void begin(std::size_t source);
  void wait_in_queue(std::size_t source, std::unique_lock<std::mutex>& lock);

  const Machine machine_;
  const std::function<bool()> graph_behind_;
  mutable std::mutex mutex_;   // guards what follows
  std::vector<Place*> queue_;  // the first comes next
  int at_work_ = 0;
  std::uint64_t captures_ = 0;  // and rests, of all
  int allowed_;
  bool ended_ = false;
  TimeNs measured_at_;  // when and with which CPU time `adapt` last looked
  TimeNs measured_cpu_;
  std::vector<TimeNs> began_;  // by source: when its turn began
};

}  // namespace sluice
