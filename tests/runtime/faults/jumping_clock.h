// Time that a test moves.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

#include "framework/core/clock.h"

namespace sluice::testing {

// A steady clock whose hands somebody moves. Whoever sleeps wakes early when they jump over his time; a jump
// back does not make him sleep longer than he meant to.
class JumpingClock final : public Clock {
 public:
  TimeNs now() const override { return steady_.now() + offset_.load(); }
  TimerId at(TimeNs due, TimerKey key, std::function<void()> callback) override {
    return steady_.at(due - offset_.load(), key, std::move(callback));
  }
  void cancel(TimerId id) override { steady_.cancel(id); }
  bool sleep_until(TimeNs due, const std::function<bool()>& woken) override {
    const auto over = [&] { return woken() || now() >= due; };
    return steady_.sleep_until(due - offset_.load(), over) || !woken();
  }
  void interrupt() override { steady_.interrupt(); }
  void jump(TimeNs by) {
    offset_ += by;
    steady_.interrupt();
  }

 private:
  SteadyClock steady_;
  std::atomic<TimeNs> offset_{0};
};

}  // namespace sluice::testing
