// Turns lines of fixed-point samples (kernels.h) into elements of a tensor: normalise, quantise, arrange.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "nodes/pixels/kernels.h"

namespace sluice::pixels {

// One channel's normalisation: (pixel - mean) / std.
struct Normalisation {
  double mean = 0;
  double std = 1;
};

// Whether a line can be written as this element type: float32, float16, uint8, int8, uint16, int16.
bool is_writable(DType dtype);
// Smallest and largest value of a writable integer.
struct IntegerRange {
  std::int32_t low = 0;
  std::int32_t high = 0;
};
std::optional<IntegerRange> integer_range(DType dtype);

// Samples (kernels.h) of one channel, both ends included; may be empty.
struct SampleRange {
  std::int16_t low = 0;
  std::int16_t high = kMaxSample;
};

class ElementWriter {
 public:
  // One normalisation per channel (1 or 3). `quant`, for integers: per tensor or one per channel.
  static Result<ElementWriter> create(DType dtype, Layout layout, std::span<const Normalisation> channels,
                                      const std::optional<QuantParams>& quant, const Kernels& use);

  // Writes n pixels; rows has one line per channel. NHWC: to `out`. NCHW: channel c to out + c *
  // channel_bytes.
  void write(const std::int16_t* const rows[3], int n, std::byte* out, std::ptrdiff_t channel_bytes);
  // Allocates what float16 needs for lines of up to n pixels.
  void reserve(int n);

  // Elements of such a line whose value lies more than half a step outside what the integer type holds; 0 for
  // floats. n <= 16384.
  int count_clipped(const std::int16_t* const rows[3], int n) const;
  // False when no sample of a picture can lie so far outside.
  bool may_clip() const { return may_clip_; }
  bool integer() const { return integer_range(dtype_).has_value(); }

  int channels() const { return channels_; }
  bool interleaved() const { return interleaved_; }
  // Of one channel.
  int element_bytes() const { return element_bytes_; }

 private:
  ElementWriter() = default;
  template <typename T>
  void write_as(const StoreKernels<T>& store, const std::int16_t* const rows[3], int n, std::byte* out,
                std::ptrdiff_t channel_bytes) const;
  void write_half(const std::int16_t* const rows[3], int n, std::byte* out, std::ptrdiff_t channel_bytes);

  DType dtype_ = DType::kFloat32;
  bool interleaved_ = false;
  int channels_ = 1;
  int element_bytes_ = 4;
  std::array<Affine, 3> affine_;
  std::array<SampleRange, 3> held_;  // what the integer type holds, by channel
  bool may_clip_ = false;
  const Kernels* kernels_ = nullptr;
  std::vector<float> floats_;
};

}  // namespace sluice::pixels
