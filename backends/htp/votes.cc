#include "backends/htp/votes.h"

#include <utility>

#include "framework/core/log.h"

namespace sluice::htp {

Votes::Votes(Clock& clock, std::string mode, TimeNs idle_release, Apply apply)
    : clock_(clock), mode_(std::move(mode)), idle_release_(idle_release), apply_(std::move(apply)) {}

Votes::~Votes() {
  leave_clock();
  std::lock_guard lock(mutex_);
  release();
}

void Votes::leave_clock() {
  TimerId timer = 0;
  {
    std::lock_guard lock(mutex_);
    if (std::exchange(clock_left_, true)) return;
    timer = std::exchange(timer_, 0);
    if (running_ == 0) release();
  }
  if (timer != 0) clock_.cancel(timer);  // not under the lock: it waits for a callback that is under way
}

void Votes::set_mode(const std::string& mode) {
  std::lock_guard lock(mutex_);
  if (mode_ == mode) return;
  mode_ = mode;
  if (held_) vote(mode_);
}

void Votes::begin_run() {
  std::lock_guard lock(mutex_);
  ++running_;
  if (held_) return;
  held_ = true;
  vote(mode_);
}

void Votes::end_run() {
  std::lock_guard lock(mutex_);
  --running_;
  if (clock_left_) {
    if (running_ == 0) release();
    return;
  }
  last_end_ = clock_.now();
  // One timer at a time: it finds out by itself that there were runs since, instead of being set anew by
  // each.
  if (timer_ == 0) arm(last_end_ + idle_release_);
}

void Votes::forget() {
  std::lock_guard lock(mutex_);
  held_ = false;
}

void Votes::arm(TimeNs due) {
  timer_ = clock_.at(due, {}, [this] { on_timer(); });
}

void Votes::on_timer() {
  std::lock_guard lock(mutex_);
  if (timer_ == 0) return;  // going
  timer_ = 0;
  if (running_ > 0) return;  // that run's end sets the next
  const TimeNs due = last_end_ + idle_release_;
  if (clock_.now() < due) {
    arm(due);
  } else {
    release();
  }
}

void Votes::release() {
  if (std::exchange(held_, false)) vote(kRelease);
}

void Votes::vote(const std::string& mode) {
  const Status status = apply_(mode);
  if (status.ok() || warned_) return;
  warned_ = true;
  log_message(LogLevel::kWarning,
              "backend 'htp': performance mode '" + mode + "' could not be set: " + status.message());
}

}  // namespace sluice::htp
