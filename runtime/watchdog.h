// Stall watchdog: frames are inside, or a source waits for a buffer, and nothing has moved for a while. Names
// the node, the input and the frame, and ends a run that cannot end by itself.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "framework/core/clock.h"
#include "framework/graph/executor.h"
#include "framework/plan/plan.h"

namespace sluice {

struct WatchdogLimits {
  TimeNs period = from_s(1);     // between two looks
  TimeNs patience = from_s(10);  // without any progress: said once per stall, through the log
  // A run that is to end and stands still for `patience` is given up; one that goes on is stopped first,
  // after `standstill`. Neither as long as a body that runs may just be slow: it gets `slowness` times the
  // longest time its node ever took.
  TimeNs standstill = from_s(60);
  int slowness = 5;
};

class Watchdog {
 public:
  // Called at most once, from the clock's thread; `why` names the nodes that hang.
  using GiveUp = std::function<void(const Status& why)>;

  Watchdog(const Plan& plan, Executor& executor, Clock& clock, GiveUp give_up, WatchdogLimits limits = {});
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;

  // What stands still, in words; one line for each source of `starved`, which waits for a buffer, and one per
  // frame and node, oldest first.
  static std::string describe(const Plan& plan, const std::vector<Waiting>& waiting,
                              const std::vector<int>& starved = {});
  std::uint64_t stalls() const { return stalls_.load(); }

 private:
  void schedule();
  void look();
  void act(TimeNs still);
  void name_those_that_lag();
  bool may_be_slow(const Waiting& waiting, const FlowCounters& counters) const;
  bool any_may_be_slow(const std::vector<Waiting>& waiting) const;
  bool waits_outside(const std::vector<Waiting>& waiting, const std::vector<int>& starved) const;
  std::string names_of_hung(const std::vector<Waiting>& waiting) const;

  const Plan& plan_;
  Executor& executor_;
  Clock& clock_;
  const GiveUp give_up_;
  const WatchdogLimits limits_;
  // The clock's thread writes; `over_` ends the chain of timers.
  std::atomic<bool> over_{false};
  std::atomic<TimerId> timer_{0};
  std::atomic<std::uint64_t> stalls_{0};
  std::uint64_t progress_ = 0;
  TimeNs since_ = 0;
  bool told_ = false;
  bool saw_stop_ = false;
  bool saw_ends_ = false;
  // A unit that works on a frame for longer than `patience`.
  struct Lagging {
    std::uint32_t unit = 0;
    std::uint16_t source = 0;
    std::uint64_t frame = 0;
    bool operator==(const Lagging&) const = default;
  };
  std::vector<Lagging> named_;  // those that are said already
};

}  // namespace sluice
