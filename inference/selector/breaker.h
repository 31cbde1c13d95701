// Circuit breaker of one candidate: a failure opens it at once; it is tried again after a pause that doubles
// with each try that fails.
#pragma once

#include <cstdint>

#include "framework/core/clock.h"

namespace sluice {

// Pure state; time comes in. Closed: usable. Open: not used before `retry_at`; then one probe, off the hot
// path, decides. A success after a probe closes it; the pause starts small again after a quiet time. Where
// there is nothing else to run, frames go on failing while it is open: they put the probe off, and no more.
class Breaker {
 public:
  static constexpr TimeNs kFirstPause = from_s(2);
  static constexpr TimeNs kLongestPause = from_s(300);
  // A candidate that has worked this long without a failure is forgiven its earlier ones.
  static constexpr TimeNs kForgiven = from_s(600);

  void failed(TimeNs now) {
    if (now - closed_at_ > kForgiven && !open_) failures_ = 0;
    const bool waits = open_ && !probe_due(now);
    if (!waits) ++failures_;
    open_ = true;
    retry_at_ = now + pause();
  }
  // A probe worked.
  void succeeded(TimeNs now) {
    if (open_) closed_at_ = now;
    open_ = false;
  }

  bool usable() const { return !open_; }
  bool probe_due(TimeNs now) const { return open_ && now >= retry_at_; }
  TimeNs retry_at() const { return retry_at_; }
  // That opened it or kept it open, in a row, without a quiet time between them.
  int failures() const { return failures_; }

 private:
  TimeNs pause() const {
    const int doublings = failures_ <= 16 ? failures_ - 1 : 16;
    const TimeNs pause = kFirstPause << doublings;
    return pause < kLongestPause ? pause : kLongestPause;
  }

  bool open_ = false;
  int failures_ = 0;
  TimeNs retry_at_ = 0;
  TimeNs closed_at_ = 0;
};

}  // namespace sluice
