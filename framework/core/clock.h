// The one clock of a run (architecture rule 7): time and timers, injected, drivable in tests and in
// simulation.
#pragma once

#include <compare>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

namespace sluice {

// A point in time or a span, in nanoseconds. The zero point is the clock's own start; only differences mean
// anything.
using TimeNs = std::int64_t;

constexpr TimeNs kNever = INT64_MAX;
constexpr TimeNs from_ms(double ms) { return static_cast<TimeNs>(ms * 1e6); }
constexpr TimeNs from_s(double s) { return static_cast<TimeNs>(s * 1e9); }
constexpr double to_ms(TimeNs t) { return static_cast<double>(t) * 1e-6; }
constexpr double to_s(TimeNs t) { return static_cast<double>(t) * 1e-9; }

// Orders timers that are due at the same instant, so that a run under a manual clock does not depend on who
// asked first.
struct TimerKey {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  auto operator<=>(const TimerKey&) const = default;
};

using TimerId = std::uint64_t;

// Thread-safe. Callbacks run on the clock's own thread (SteadyClock) or in `advance` (ManualClock), with no
// lock held.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimeNs now() const = 0;
  // Calls back once at or after `due`, at once if that has passed (still from the clock's thread). Never
  // returns 0.
  virtual TimerId at(TimeNs due, TimerKey key, std::function<void()> callback) = 0;
  // After it returns the callback neither runs nor will (a callback that cancels itself goes on). Unknown ids
  // are ignored.
  virtual void cancel(TimerId id) = 0;
  // True when time only moves by `advance`: then nothing may wait for it in real time.
  virtual bool manual() const { return false; }
  // Blocks the calling thread until `due` or until `wake()` returns true after a call of `interrupt()`;
  // returns false when woken. Only for threads of sources.
  virtual bool sleep_until(TimeNs due, const std::function<bool()>& woken) = 0;
  // Makes every sleeper look at its condition again.
  virtual void interrupt() = 0;
};

struct PendingTimer {
  TimerId id;
  std::function<void()> callback;
};
using TimerQueue = std::multimap<std::pair<TimeNs, TimerKey>, PendingTimer>;

// std::chrono::steady_clock; starts its timer thread with the first timer.
class SteadyClock final : public Clock {
 public:
  SteadyClock();
  ~SteadyClock() override;
  TimeNs now() const override;
  TimerId at(TimeNs due, TimerKey key, std::function<void()> callback) override;
  void cancel(TimerId id) override;
  bool sleep_until(TimeNs due, const std::function<bool()>& woken) override;
  void interrupt() override;

 private:
  void run_timers();

  const TimeNs start_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::mutex sleep_mutex_;
  std::condition_variable sleepers_;
  std::condition_variable callback_over_;
  TimerQueue timers_;
  TimerId next_id_ = 1;
  TimerId running_ = 0;  // whose callback is under way
  bool stopping_ = false;
  std::thread thread_;
};

// Time stands still until somebody advances it.
class ManualClock final : public Clock {
 public:
  TimeNs now() const override;
  TimerId at(TimeNs due, TimerKey key, std::function<void()> callback) override;
  void cancel(TimerId id) override;
  bool manual() const override { return true; }
  bool sleep_until(TimeNs due, const std::function<bool()>& woken) override;
  void interrupt() override;

  // When the next timer is due, or kNever.
  TimeNs next_due() const;
  // Moves to the next timer and runs that one callback; false when there is none or it is due after `limit`.
  bool advance_one(TimeNs limit = kNever);
  // Runs all timers up to `t`, in order, then stands at `t`.
  void advance_to(TimeNs t);

 private:
  mutable std::mutex mutex_;
  std::condition_variable sleepers_;
  TimeNs now_ = 0;
  TimerQueue timers_;
  TimerId next_id_ = 1;
};

}  // namespace sluice
