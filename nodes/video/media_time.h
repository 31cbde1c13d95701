// Media time of a source's pictures: from its first picture on, always rising, across loops and reconnects.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "framework/core/clock.h"
#include "nodes/video/libav.h"

namespace sluice {

class MediaTime {
 public:
  // A stream begins (the first, another pass of a loop, a new connection): its time stamps have nothing to do
  // with those before. `fps` 0: unknown, 30 is assumed where a stamp is missing.
  void start_stream(AVRational time_base, double fps) {
    time_base_ = time_base;
    step_ = std::llround(1e9 / (fps > 0 ? fps : 30.0));
    offset_ = last_ < 0 ? 0 : last_ + step_;
    origin_ = AV_NOPTS_VALUE;
    first_ = true;
  }
  // After start_stream of a live source: time went on while it was away. `now`: as `captured` in `of`.
  void resume_at(TimeNs now) {
    if (last_ >= 0) offset_ = std::max(offset_, last_ + (now - last_captured_));
  }
  // Of the next picture; `pts` in the stream's time base, AV_NOPTS_VALUE: one step after the last.
  TimeNs of(std::int64_t pts, TimeNs captured) {
    TimeNs time = first_ ? offset_ : last_ + step_;
    if (pts != AV_NOPTS_VALUE) {
      if (origin_ == AV_NOPTS_VALUE) origin_ = pts - av_rescale_q(time - offset_, kNanoseconds, time_base_);
      time = offset_ + av_rescale_q(pts - origin_, time_base_, kNanoseconds);
    }
    // A stream whose stamps stand still or jump back goes on by its rate.
    if (last_ >= 0 && time <= last_) time = last_ + step_;
    first_ = false;
    last_ = time;
    last_captured_ = captured;
    return time;
  }
  // Of the next picture of a camera that stamps none: time goes by as its pictures come.
  TimeNs without_stamp(TimeNs captured) {
    last_ = last_ < 0 ? 0 : last_ + std::max<TimeNs>(1, captured - last_captured_);
    last_captured_ = captured;
    first_ = false;
    return last_;
  }

 private:
  static constexpr AVRational kNanoseconds{1, 1'000'000'000};
  AVRational time_base_{1, 1};
  TimeNs step_ = 0;
  TimeNs offset_ = 0;  // media time of the stream's first picture
  TimeNs last_ = -1;   // -1: none yet
  TimeNs last_captured_ = 0;
  std::int64_t origin_ = AV_NOPTS_VALUE;  // the time stamp that stands for offset_
  bool first_ = true;
};

}  // namespace sluice
