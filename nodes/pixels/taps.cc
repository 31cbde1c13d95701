#include "nodes/pixels/taps.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace sluice::pixels {
namespace {

constexpr int kLoadBytes = 16;
constexpr std::uint8_t kZeroByte = 0x80;  // in a mask: this byte becomes zero

// The bytes of one output, in the order of its 32-bit lane; -1: zero.
using LaneBytes = std::array<int, 4>;
using GroupBytes = std::array<LaneBytes, kGroup>;

LaneBytes lane_bytes(int first, int step) {
  if (step == 2) return {first, first + 1, first + 2, first + 3};
  return {first, -1, first + step, -1};
}

int lowest(const LaneBytes& bytes) { return bytes[0]; }
int highest(const LaneBytes& bytes) { return std::max(bytes[2], bytes[3]); }

struct Load {
  int at = 0;
  int from = 0;  // outputs of the group that it covers
  int to = 0;
};
using Loads = std::array<Load, kGroup>;

// Covers the four outputs of a group with as few 16-byte loads as their order allows; returns how many.
// `last` is the highest place of a load such that it stays within the row for every channel. Loads that are
// not needed take nothing.
int cover(const GroupBytes& group, int last, Loads& loads) {
  int count = 0;
  loads.fill({});
  for (std::size_t from = 0; from < kGroup;) {
    int low = lowest(group[from]);
    int high = highest(group[from]);
    std::size_t to = from + 1;
    for (; to < kGroup; ++to) {
      const int wider_low = std::min(low, lowest(group[to]));
      const int wider_high = std::max(high, highest(group[to]));
      if (wider_high - wider_low >= kLoadBytes) break;
      low = wider_low;
      high = wider_high;
    }
    loads[static_cast<std::size_t>(count++)] = {std::min(low, last), static_cast<int>(from),
                                                static_cast<int>(to)};
    from = to;
  }
  return count;
}

// The mask that brings the outputs of `load` to their lanes and clears the others.
std::array<std::uint8_t, kLoadBytes> mask_of(const GroupBytes& group, const Load& load) {
  std::array<std::uint8_t, kLoadBytes> mask;
  mask.fill(kZeroByte);
  for (int i = load.from; i < load.to; ++i) {
    for (std::size_t b = 0; b < 4; ++b) {
      const int byte = group[static_cast<std::size_t>(i)][b];
      if (byte >= 0) mask[static_cast<std::size_t>(4 * i) + b] = static_cast<std::uint8_t>(byte - load.at);
    }
  }
  return mask;
}

}  // namespace

std::vector<Tap> axis_taps(const AxisFit& fit, int extent, int samples, bool mirrored) {
  std::vector<Tap> taps(static_cast<std::size_t>(fit.scaled));
  for (int i = 0; i < fit.scaled; ++i) {
    double point = fit.start + (i + 0.5) * fit.length / fit.scaled;
    if (mirrored) point = extent - point;
    const double place = point * samples / extent - 0.5;
    const int first = static_cast<int>(std::floor(place));
    Tap& tap = taps[static_cast<std::size_t>(i)];
    if (first < 0) {
      tap = {0, 0.0};
    } else if (first >= samples - 1) {
      tap = {samples - 1, 0.0};
    } else {
      tap = {first, place - first};
    }
  }
  return taps;
}

RowTaps::RowTaps(std::span<const Tap> taps, int samples, int step) {
  view_.blocks = (static_cast<int>(taps.size()) + kBlock - 1) / kBlock;
  view_.step = step;
  add_outputs(taps, samples);
  add_tables(std::max(samples * step, kLeastRowBytes));
  view_.first = first_.data();
  view_.weights = weights_.data();
  view_.loads_at = loads_.data();
  view_.masks = masks_.data();
}

// First bytes and weights in stored order; the last block is filled up with the last tap.
void RowTaps::add_outputs(std::span<const Tap> taps, int samples) {
  const auto last_output = static_cast<int>(taps.size()) - 1;
  for (int i = 0; i < view_.blocks * kBlock; ++i) {
    const int block = i / kBlock * kBlock;
    const int group = kGroupOrder[i % kBlock / kGroup];
    const Tap& tap =
        taps[static_cast<std::size_t>(std::min(block + group * kGroup + i % kGroup, last_output))];
    // Both taps must lie in the row: at its end the last sample counts fully, as the second of its pair.
    const bool at_end = samples > 1 && tap.first == samples - 1;
    const auto share = static_cast<std::int16_t>(at_end ? kTapUnit : std::lround(tap.weight * kTapUnit));
    first_.push_back(static_cast<std::uint16_t>((at_end ? tap.first - 1 : tap.first) * view_.step));
    weights_.push_back(static_cast<std::int16_t>(kTapUnit - share));
    weights_.push_back(share);
  }
}

void RowTaps::add_tables(int row_bytes) {
  // Packed RGB is sampled once per channel from row + channel: leave room for the last one.
  const int last_load = row_bytes - kLoadBytes - (view_.step == 3 ? 2 : 0);
  struct Cover {
    GroupBytes bytes;
    Loads loads;
  };
  std::vector<Cover> covers(first_.size() / kGroup);
  for (std::size_t g = 0; g < covers.size(); ++g) {
    for (std::size_t i = 0; i < kGroup; ++i)
      covers[g].bytes[i] = lane_bytes(first_[g * kGroup + i], view_.step);
    view_.loads = std::max(view_.loads, cover(covers[g].bytes, last_load, covers[g].loads));
  }
  const auto loads = static_cast<std::size_t>(view_.loads);
  for (std::size_t pair = 0; pair < covers.size(); pair += 2) {
    for (std::size_t k = 0; k < loads; ++k) {
      for (std::size_t g = pair; g < pair + 2; ++g) {
        const auto mask = mask_of(covers[g].bytes, covers[g].loads[k]);
        loads_.push_back(static_cast<std::uint16_t>(covers[g].loads[k].at));
        masks_.insert(masks_.end(), mask.begin(), mask.end());
      }
    }
  }
}

}  // namespace sluice::pixels
