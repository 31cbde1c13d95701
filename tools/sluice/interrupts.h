// Ctrl-C: the first SIGINT, SIGTERM or SIGHUP (a terminal that closes) drains; another SIGINT or SIGTERM ends
// the program with 130.
#pragma once

#include <functional>
#include <mutex>
#include <thread>

namespace sluice::cli {

// Takes these signals (SIGHUP unless it is ignored, as under nohup) out of every thread that is started after
// it (make it first) and waits for them in one of its own.
class Interrupts {
 public:
  Interrupts();
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

  // Called once, from another thread, at the first signal; at once when it has come already. An empty
  // function takes the last one away, and has waited for it when it returns.
  void on_first(std::function<void()> action);
  bool interrupted() const;

 private:
  void wait_for_signals();

  mutable std::mutex mutex_;
  std::function<void()> action_;
  int signals_ = 0;
  int signal_fd_ = -1;
  int end_fd_ = -1;
  std::thread thread_;
};

}  // namespace sluice::cli
