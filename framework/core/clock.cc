#include "framework/core/clock.h"

#include <algorithm>
#include <chrono>

namespace sluice {
namespace {

TimeNs steady_now() {
  using namespace std::chrono;
  return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
}

std::chrono::steady_clock::time_point steady_point(TimeNs t) {
  using namespace std::chrono;
  return steady_clock::time_point(duration_cast<steady_clock::duration>(nanoseconds(t)));
}

void erase_timer(TimerQueue& timers, TimerId id) {
  auto it = std::find_if(timers.begin(), timers.end(), [id](const auto& t) { return t.second.id == id; });
  if (it != timers.end()) timers.erase(it);
}

}  // namespace

SteadyClock::SteadyClock() : start_(steady_now()) {}

SteadyClock::~SteadyClock() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

TimeNs SteadyClock::now() const { return steady_now() - start_; }

TimerId SteadyClock::at(TimeNs due, TimerKey key, std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  // First, since it may throw: nobody could cancel a timer whose id was not returned.
  if (!thread_.joinable()) thread_ = std::thread([this] { run_timers(); });
  const TimerId id = next_id_++;
  timers_.emplace(std::pair(due, key), PendingTimer{id, std::move(callback)});
  wake_.notify_one();
  return id;
}

void SteadyClock::cancel(TimerId id) {
  std::unique_lock lock(mutex_);
  erase_timer(timers_, id);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  callback_over_.wait(lock, [&] { return running_ == 0 || running_ != id; });
}

void SteadyClock::run_timers() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (timers_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const TimeNs due = timers_.begin()->first.first;
    if (due > now()) {
      wake_.wait_until(lock, steady_point(start_ + due));
      continue;
    }
    auto callback = std::move(timers_.begin()->second.callback);
    running_ = timers_.begin()->second.id;
    timers_.erase(timers_.begin());
    lock.unlock();
    callback();
    callback = nullptr;
    lock.lock();
    running_ = 0;
    callback_over_.notify_all();
  }
}

bool SteadyClock::sleep_until(TimeNs due, const std::function<bool()>& woken) {
  std::unique_lock lock(sleep_mutex_);
  return !sleepers_.wait_until(lock, steady_point(start_ + due), woken);
}

void SteadyClock::interrupt() {
  {
    std::lock_guard lock(sleep_mutex_);
  }
  sleepers_.notify_all();
}

TimeNs ManualClock::now() const {
  std::lock_guard lock(mutex_);
  return now_;
}

TimerId ManualClock::at(TimeNs due, TimerKey key, std::function<void()> callback) {
  std::lock_guard lock(mutex_);
  const TimerId id = next_id_++;
  timers_.emplace(std::pair(std::max(due, now_), key), PendingTimer{id, std::move(callback)});
  return id;
}

void ManualClock::cancel(TimerId id) {
  std::lock_guard lock(mutex_);
  erase_timer(timers_, id);
}

bool ManualClock::sleep_until(TimeNs due, const std::function<bool()>& woken) {
  std::unique_lock lock(mutex_);
  bool was_woken = false;
  sleepers_.wait(lock, [&] { return now_ >= due || (was_woken = woken()); });
  return !was_woken;
}

void ManualClock::interrupt() {
  {
    std::lock_guard lock(mutex_);
  }
  sleepers_.notify_all();
}

TimeNs ManualClock::next_due() const {
  std::lock_guard lock(mutex_);
  return timers_.empty() ? kNever : timers_.begin()->first.first;
}

bool ManualClock::advance_one(TimeNs limit) {
  std::function<void()> callback;
  {
    std::lock_guard lock(mutex_);
    if (timers_.empty() || timers_.begin()->first.first > limit) return false;
    now_ = std::max(now_, timers_.begin()->first.first);
    callback = std::move(timers_.begin()->second.callback);
    timers_.erase(timers_.begin());
  }
  sleepers_.notify_all();
  callback();
  return true;
}

void ManualClock::advance_to(TimeNs t) {
  while (advance_one(t)) {
  }
  {
    std::lock_guard lock(mutex_);
    now_ = std::max(now_, t);
  }
  sleepers_.notify_all();
}

}  // namespace sluice
