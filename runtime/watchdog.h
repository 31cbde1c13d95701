// Stall watchdog: frames are inside and nothing has moved for a while. Names the node, the input and the
// frame.
#pragma once

#include <atomic>
#include <string>

#include "framework/core/clock.h"
#include "framework/graph/executor.h"
#include "framework/plan/plan.h"

namespace sluice {

// Says it once per stall through the log. Looks every `period`; a stall is `patience` without any progress.
class Watchdog {
 public:
  Watchdog(const Plan& plan, const Executor& executor, Clock& clock, TimeNs period = from_s(1),
           TimeNs patience = from_s(10));
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

  // What stands still, in words; one line per frame and node, oldest first.
  static std::string describe(const Plan& plan, const std::vector<Waiting>& waiting);
  std::uint64_t stalls() const { return stalls_.load(); }

 private:
  void schedule();
  void look();

  const Plan& plan_;
  const Executor& executor_;
  Clock& clock_;
  const TimeNs period_;
  const TimeNs patience_;
  // The clock's thread writes; `over_` ends the chain of timers.
  std::atomic<bool> over_{false};
  std::atomic<TimerId> timer_{0};
  std::atomic<std::uint64_t> stalls_{0};
  std::uint64_t progress_ = 0;
  TimeNs since_ = 0;
  bool told_ = false;
};

}  // namespace sluice
