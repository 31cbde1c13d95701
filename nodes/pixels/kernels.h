// The inner loops, once per instruction set, chosen at run time. Picture samples between them are 16-bit
// fixed point: value * 32, 0 .. 255 * 32, so that sums of a colour conversion fit without saturation.
#pragma once

#include <array>
#include <cstdint>

namespace sluice::pixels {

constexpr int kFraction = 32;  // of a sample
constexpr int kMaxSample = 255 * kFraction;
constexpr int kTapUnit = 1 << 14;  // horizontal weights of a tap add up to this
constexpr int kRowUnit = 1 << 15;  // vertical weights are of this
constexpr int kGroup = 4;          // outputs per 16-byte table look-up
constexpr int kBlock = 16;         // outputs per step of the row kernel

// The groups of a block in the order in which their tables are stored: that of two-lane vectors, whose
// packing instruction interleaves lanes.
constexpr int kGroupOrder[] = {0, 2, 1, 3};

// Horizontal taps. Output i is (row[first[i]] * weights[2i'] + row[first[i] + step] * weights[2i' + 1]) /
// kTapUnit, i' being i's place in kGroupOrder (also for first). For vectors, each group of four has `loads`
// 16-byte loads at `loads_at`; `masks` brings their bytes to four 32-bit lanes, one per output: (first, 0,
// second, 0), or, where samples are pairs of bytes (step 2), (first, first + 1, second, second + 1). Together
// the loads cover the group. Both are ordered by pair of stored groups, load, group of the pair.
struct RowTapsView {
  int blocks = 0;
  int loads = 1;
  int step = 1;
  const std::uint16_t* first = nullptr;
  const std::int16_t* weights = nullptr;
  const std::uint16_t* loads_at = nullptr;
  const std::uint8_t* masks = nullptr;
};

// Two rows of a plane and the share of the second, of kRowUnit.
struct RowPair {
  const std::int16_t* first = nullptr;
  const std::int16_t* second = nullptr;
  std::int16_t share = 0;
};

// R = y' + rv V, G = y' - gu U - gv V, B = y' + bu U with y' = (Y - y_offset) y_gain and U, V about 128.
// Coefficients are of 1 << 13, offsets of kFraction.
struct YuvCoefficients {
  std::int16_t y_offset, y_gain, rv, gu, gv, bu;
};

// Shares of R, G and B in luma, of 1 << 13, which they add up to.
struct GrayWeights {
  std::int16_t r, g, b;
};

// out = value * scale + bias; for integers then clamped to low..high, rounded half to even, plus zero_point.
struct Affine {
  float scale = 1;
  float bias = 0;
  float low = 0;
  float high = 0;
  std::int32_t zero_point = 0;
};

template <typename T>
struct StoreKernels {
  void (*planar)(const std::int16_t* row, int n, const Affine& affine, T* out);
  void (*interleaved)(const std::int16_t* const rows[3], int n, const Affine affine[3], T* out);
};

// Functions take n values, those of colour a multiple of kBlock. Pointers need no alignment; outputs do not
// overlap inputs.
struct Kernels {
  const char* name;
  void (*resample)(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* out);
  // Both channels of interleaved pairs (step 2) at once; `resample` is for all other steps.
  void (*resample_pairs)(const RowTapsView& taps, const std::uint8_t* row, std::int16_t* even,
                         std::int16_t* odd);
  void (*blend)(const RowPair& rows, int n, std::int16_t* out);
  void (*yuv_to_rgb)(const RowPair yuv[3], const YuvCoefficients& c, int n, std::int16_t* const rgb[3]);
  void (*expand_luma)(const RowPair& luma, const YuvCoefficients& c, int n, std::int16_t* out);
  void (*rgb_to_gray)(const RowPair rgb[3], const GrayWeights& weights, int n, std::int16_t* out);
  // How many of n samples, n <= 16384, lie outside low..high.
  int (*count_outside)(const std::int16_t* row, int n, std::int16_t low, std::int16_t high);
  StoreKernels<float> store_float;
  StoreKernels<std::uint8_t> store_u8;
  StoreKernels<std::int8_t> store_i8;
  StoreKernels<std::uint16_t> store_u16;
  StoreKernels<std::int16_t> store_i16;
};

// The best set this machine can run. Thread-safe.
const Kernels& kernels();
// Every set this machine can run, the plain one first (for tests and measurements).
struct KernelList {
  std::array<const Kernels*, 2> sets{};
  int count = 0;
};
KernelList usable_kernels();

}  // namespace sluice::pixels
