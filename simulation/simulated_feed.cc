#include "simulation/simulated_feed.h"

namespace sluice {
namespace {

constexpr double kUnknownFps = 30;  // of a source whose header does not tell

double media_fps(const SimulatedFeed::Setup& setup) {
  if (setup.pace.kind == Pace::Kind::kRate) return setup.pace.fps;
  return setup.info.fps > 0 ? setup.info.fps : kUnknownFps;
}

}  // namespace

SimulatedFeed::SimulatedFeed(Setup setup)
    : setup_(std::move(setup)), period_(from_s(1 / (setup_.info.fps > 0 ? setup_.info.fps : kUnknownFps))) {}

// Live sources come at their own rate; files at their pace, or as fast as they are taken.
TimeNs SimulatedFeed::next_due() {
  if (!setup_.info.live && setup_.pace.kind == Pace::Kind::kMax) return 0;
  if (start_ < 0) start_ = setup_.clock->now();
  return start_ + from_s(static_cast<double>(number_) / media_fps(setup_));
}

Result<FrameInfo> SimulatedFeed::next() {
  const bool over =
      !setup_.endless && setup_.info.frames >= 0 && number_ >= static_cast<std::uint64_t>(setup_.info.frames);
  const bool enough = setup_.limit >= 0 && number_ >= static_cast<std::uint64_t>(setup_.limit);
  if (over || enough) return end_of_stream();
  const TimeNs now = setup_.clock->now();
  const TimeNs device_now = now + setup_.device_offset;
  setup_.device->advance(device_now);
  const TimeNs end = setup_.device->run(setup_.work, device_now).end - setup_.device_offset;
  FrameInfo frame;
  frame.source = static_cast<std::uint16_t>(setup_.source);
  const TimeNs due = next_due();
  frame.captured = due > 0 ? due : now;
  frame.produced = enter_due_ = end;
  frame.media_time = static_cast<TimeNs>(number_) * period_;
  frame.number = number_++;
  return frame;
}

}  // namespace sluice
