// Bilinear taps: which two samples of a plane make one target sample, and with which weights. Computed once
// per size.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nodes/pixels/fit.h"
#include "nodes/pixels/kernels.h"

namespace sluice::pixels {

// sample[first] * (1 - weight) + sample[first + 1] * weight, 0 <= weight < 1. At the edge, where both taps
// are the same sample, weight is 0 and first + 1 is not read.
struct Tap {
  int first = 0;
  double weight = 0;
};

// One tap per picture cell of `fit`, for a plane of `samples` along this axis, which cover the `extent`
// pixels of the source evenly (its own half-pixel centres). `mirrored`: the stored picture runs against the
// upright axis.
std::vector<Tap> axis_taps(const AxisFit& fit, int extent, int samples, bool mirrored);

// The taps along a row, arranged for the row kernel (kernels.h).
class RowTaps {
 public:
  RowTaps() = default;
  // `samples` of `step` bytes each lie in a row.
  RowTaps(std::span<const Tap> taps, int samples, int step);
  RowTaps(RowTaps&&) = default;
  RowTaps& operator=(RowTaps&&) = default;

  const RowTapsView& view() const { return view_; }
  // Rows shorter than this must be copied to memory of this size first: the kernel loads 16 bytes at a time.
  static constexpr int kLeastRowBytes = 32;
  // What the kernel writes: the number of taps, rounded up.
  int padded_outputs() const { return view_.blocks * kBlock; }

 private:
  void add_outputs(std::span<const Tap> taps, int samples);
  void add_tables(int row_bytes);

  std::vector<std::uint16_t> first_;
  std::vector<std::int16_t> weights_;
  std::vector<std::uint16_t> loads_;
  std::vector<std::uint8_t> masks_;
  RowTapsView view_;
};

}  // namespace sluice::pixels
