// Pictures that need no camera, no file and no decoder.
#pragma once

#include <memory>
#include <string_view>

#include "framework/node/node.h"

namespace sluice {

// The source behind `test:bars`, `test:noise` and `test:clock`: NV12, BT.709 limited range, options `width`
// (1280), `height` (720), `fps` (30); endless; the same pictures in every run.
//   bars   75 % colour bars over a grey ramp; a white line moves one pixel pair per frame
//   noise  luma and chroma from a generator seeded with the frame's number
//   clock  dark ground with kClockBits white or black squares in two rows: the frame's number above, its
//          media time in ms below, most significant bit first
std::unique_ptr<SourceNode> make_test_pattern(std::string_view pattern);

// Refuses options `width` and `height` that are no size it can draw: even, at least 64, within `max_width`
// and `max_height`. Any thread.
void check_test_pattern(std::string_view pattern, const Options& options, const RefuseOption& refuse);

constexpr int kClockBits = 32;

// The rectangle of one bit of the clock picture, in pixels; row 0: number, row 1: milliseconds.
struct ClockCell {
  int x = 0;
  int y = 0;
  int width = 0;
  int height = 0;
};
ClockCell clock_cell(int picture_width, int picture_height, int row, int bit);

}  // namespace sluice
