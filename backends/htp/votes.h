// Performance votes: what keeps the NPU's clocks up. The driver holds a vote until it is changed or its
// session dies, so a camera that waits would keep the NPU hot.
#pragma once

#include <functional>
#include <mutex>
#include <string>

#include "framework/core/clock.h"
#include "framework/core/status.h"

namespace sluice::htp {

// The votes of one session: `mode` is voted for before a run that finds none held, and released
// (`low_power_saver`: "default" releases nothing) `idle_release` after the last run ended, and at the end.
// Thread-safe; between two runs that follow each other within that time it costs a lock.
class Votes {
 public:
  // Gives the driver a mode. Called with the lock held, from a run's thread or the clock's.
  using Apply = std::function<Status(const std::string& mode)>;

  // `clock` and what `apply` uses outlive this.
  Votes(Clock& clock, std::string mode, TimeNs idle_release, Apply apply);
  // Releases.
  ~Votes();
  Votes(const Votes&) = delete;
  Votes& operator=(const Votes&) = delete;

  // From now on; held votes change at once.
  void set_mode(const std::string& mode);
  // Around each run; several may be under way. A vote that fails is a warning, once: the run goes on.
  void begin_run();
  void end_run();
  // The session behind `apply` is a new one, which holds no vote.
  void forget();
  // A run hangs and may end when the clock is gone: from now on it is left alone, and each vote is released
  // as soon as no run is under way.
  void leave_clock();

  static constexpr const char* kRelease = "low_power_saver";

 private:
  void on_timer();
  void arm(TimeNs due);
  void release();
  void vote(const std::string& mode);

  Clock& clock_;
  std::string mode_;  // under the mutex
  const TimeNs idle_release_;
  const Apply apply_;
  std::mutex mutex_;
  int running_ = 0;
  bool held_ = false;
  bool warned_ = false;
  bool clock_left_ = false;
  TimeNs last_end_ = 0;
  TimerId timer_ = 0;  // 0: none
};

}  // namespace sluice::htp
