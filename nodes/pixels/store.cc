#include "nodes/pixels/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/core/half.h"

namespace sluice::pixels {
namespace {

template <typename T>
IntegerRange range_of() {
  return {std::numeric_limits<T>::min(), std::numeric_limits<T>::max()};
}

Status check_quant(const QuantParams& quant, std::size_t channels) {
  const std::size_t count = quant.scale.size();
  if (quant.zero_point.size() != count || (count != 1 && (quant.per_tensor() || count != channels))) {
    return invalid(
        fmt::format("a picture of {} channel(s) cannot be quantised with {} scale(s) and {} zero point(s)",
                    channels, count, quant.zero_point.size()));
  }
  for (float scale : quant.scale) {
    if (!(scale > 0) || !std::isfinite(scale)) {
      return invalid(fmt::format("scale is {}, allowed: positive and finite", scale));
    }
  }
  return {};
}

Affine affine_of(const Normalisation& channel, const std::optional<IntegerRange>& range, double scale,
                 std::int32_t zero_point) {
  Affine affine;
  affine.scale = static_cast<float>(1.0 / (kFraction * channel.std * scale));
  affine.bias = static_cast<float>(-channel.mean / (channel.std * scale));
  if (range) {
    affine.low = static_cast<float>(range->low - zero_point);
    affine.high = static_cast<float>(range->high - zero_point);
    affine.zero_point = zero_point;
  }
  return affine;
}

// The samples that the type holds, rounding included. Half a step and a bit: the scale itself is rounded,
// which makes up to a two-hundredth of a step in 16 bits.
SampleRange held_by(const Affine& affine) {
  constexpr double kReach = 0.51;
  const double low = std::ceil((affine.low - kReach - affine.bias) / affine.scale);
  const double high = std::floor((affine.high + kReach - affine.bias) / affine.scale);
  return {static_cast<std::int16_t>(std::clamp(low, 0.0, kMaxSample + 1.0)),
          static_cast<std::int16_t>(std::clamp(high, -1.0, static_cast<double>(kMaxSample)))};
}

}  // namespace

bool is_writable(DType dtype) {
  return dtype == DType::kFloat32 || dtype == DType::kFloat16 || integer_range(dtype).has_value();
}

std::optional<IntegerRange> integer_range(DType dtype) {
  switch (dtype) {
    case DType::kUint8:
      return range_of<std::uint8_t>();
    case DType::kInt8:
      return range_of<std::int8_t>();
    case DType::kUint16:
      return range_of<std::uint16_t>();
    case DType::kInt16:
      return range_of<std::int16_t>();
    default:
      return std::nullopt;
  }
}

Result<ElementWriter> ElementWriter::create(DType dtype, Layout layout,
                                            std::span<const Normalisation> channels,
                                            const std::optional<QuantParams>& quant, const Kernels& use) {
  if (!is_writable(dtype)) {
    return invalid(fmt::format(
        "a picture cannot be written as {}, allowed: float32, float16, uint8, int8, uint16, int16",
        name_of(dtype)));
  }
  for (const Normalisation& n : channels) {
    if (!(n.std > 0) || !std::isfinite(n.std) || !std::isfinite(n.mean)) {
      return invalid(
          fmt::format("mean is {} and std is {}, allowed: finite, and std above 0", n.mean, n.std));
    }
  }
  const std::optional<IntegerRange> range = integer_range(dtype);
  const bool quantised = range && quant;
  if (quantised) SLUICE_RETURN_IF_ERROR(check_quant(*quant, channels.size()));
  ElementWriter writer;
  writer.dtype_ = dtype;
  writer.channels_ = static_cast<int>(channels.size());
  writer.interleaved_ = layout == Layout::kNhwc && channels.size() > 1;
  writer.element_bytes_ = static_cast<int>(size_of(dtype));
  writer.kernels_ = &use;
  for (std::size_t c = 0; c < channels.size(); ++c) {
    const std::size_t i = quantised && quant->scale.size() > 1 ? c : 0;
    writer.affine_[c] = quantised ? affine_of(channels[c], range, quant->scale[i], quant->zero_point[i])
                                  : affine_of(channels[c], range, 1.0, 0);
    if (!range) continue;
    writer.held_[c] = held_by(writer.affine_[c]);
    writer.may_clip_ |= writer.held_[c].low > 0 || writer.held_[c].high < kMaxSample;
  }
  return writer;
}

void ElementWriter::reserve(int n) {
  if (dtype_ == DType::kFloat16)
    floats_.resize(static_cast<std::size_t>(n) * static_cast<std::size_t>(channels_));
}

int ElementWriter::count_clipped(const std::int16_t* const rows[3], int n) const {
  if (!may_clip_) return 0;
  int clipped = 0;
  for (std::size_t c = 0; c < static_cast<std::size_t>(channels_); ++c)
    clipped += kernels_->count_outside(rows[c], n, held_[c].low, held_[c].high);
  return clipped;
}

template <typename T>
void ElementWriter::write_as(const StoreKernels<T>& store, const std::int16_t* const rows[3], int n,
                             std::byte* out, std::ptrdiff_t channel_bytes) const {
  if (interleaved_) return store.interleaved(rows, n, affine_.data(), reinterpret_cast<T*>(out));
  for (int c = 0; c < channels_; ++c) {
    store.planar(rows[c], n, affine_[static_cast<std::size_t>(c)],
                 reinterpret_cast<T*>(out + c * channel_bytes));
  }
}

void ElementWriter::write_half(const std::int16_t* const rows[3], int n, std::byte* out,
                               std::ptrdiff_t channel_bytes) {
  const auto pixels = static_cast<std::size_t>(n);
  if (interleaved_) {
    kernels_->store_float.interleaved(rows, n, affine_.data(), floats_.data());
    return to_half(floats_.data(), 3 * pixels, reinterpret_cast<std::uint16_t*>(out));
  }
  for (int c = 0; c < channels_; ++c) {
    kernels_->store_float.planar(rows[c], n, affine_[static_cast<std::size_t>(c)], floats_.data());
    to_half(floats_.data(), pixels, reinterpret_cast<std::uint16_t*>(out + c * channel_bytes));
  }
}

void ElementWriter::write(const std::int16_t* const rows[3], int n, std::byte* out,
                          std::ptrdiff_t channel_bytes) {
  switch (dtype_) {
    case DType::kFloat16:
      return write_half(rows, n, out, channel_bytes);
    case DType::kUint8:
      return write_as(kernels_->store_u8, rows, n, out, channel_bytes);
    case DType::kInt8:
      return write_as(kernels_->store_i8, rows, n, out, channel_bytes);
    case DType::kUint16:
      return write_as(kernels_->store_u16, rows, n, out, channel_bytes);
    case DType::kInt16:
      return write_as(kernels_->store_i16, rows, n, out, channel_bytes);
    default:
      return write_as(kernels_->store_float, rows, n, out, channel_bytes);
  }
}

}  // namespace sluice::pixels
