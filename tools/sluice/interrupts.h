// Ctrl-C: the first SIGINT, SIGTERM or SIGHUP (a terminal that closes) drains; another SIGINT or SIGTERM ends
// the program with 130. Those of the first 100 ms count as the first: who is interrupted once may hear it
// twice (`timeout` tells its command and its command's group; a shell script passes on what the terminal
// said).
#pragma once

#include <functional>
#include <mutex>
#include <thread>

#include "framework/core/clock.h"

namespace sluice::cli {

// Takes these signals (SIGHUP unless it is ignored, as under nohup) out of every thread that is started after
// it (make it first) and waits for them in one of its own.
class Interrupts {
 public:
  // `now` is asked when a signal has been taken, for how long ago the first one was.
  explicit Interrupts(std::function<TimeNs()> now = steady_time);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Called once, from another thread, at the first signal; at once when it has come already. An empty
  // function takes the last one away, and has waited for it when it returns.
  void on_first(std::function<void()> action);
  bool interrupted() const;

 private:
  static TimeNs steady_time();
  void wait_for_signals();
  void take(unsigned signal);

  mutable std::mutex mutex_;
  std::function<void()> action_;
  bool interrupted_ = false;
  TimeNs first_ = 0;  // when
  const std::function<TimeNs()> now_;
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::thread thread_;
};

}  // namespace sluice::cli
