#include "nodes/pixels/linear_quant.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "framework/core/half.h"

namespace sluice::pixels {
namespace {

// What integers of type T hold about a zero point, in steps.
template <typename T>
struct Held {
  // Half a step is rounding; the bit more is what the scale's own rounding makes.
  static constexpr float kReach = 0.51f;
  explicit Held(std::int32_t zero_point)
      : low(static_cast<float>(std::numeric_limits<T>::min() - zero_point)),
        high(static_cast<float>(std::numeric_limits<T>::max() - zero_point)) {}
  // 1 for NaN too. No branch: the loops around it are vectorised.
  unsigned lacks(float v) const {
    return 1u - (static_cast<unsigned>(v >= low - kReach) & static_cast<unsigned>(v <= high + kReach));
  }
  float low, high;
};

template <typename T>
T quantised(float v, const Held<T>& held, std::int32_t zero_point) {
  // Adding 1.5 * 2^23 leaves no bits behind the point: rounds half to even in any vector instruction set.
  constexpr float kRound = 12582912.0f;
  v = v > held.low ? v : held.low;
  v = v < held.high ? v : held.high;
  return static_cast<T>(static_cast<std::int32_t>((v + kRound) - kRound) + zero_point);
}

// float does not hold the ends of wide integers, so here the numbers are double; behind int64's largest,
// which double does not hold either, comes 2^63.
template <typename T>
struct WideHeld {
  explicit WideHeld(std::int32_t zero_point)
      : low(static_cast<double>(std::numeric_limits<T>::min()) - zero_point),
        beyond(std::ldexp(1.0, std::numeric_limits<T>::digits) - zero_point) {}
  unsigned lacks(double v) const { return v >= low - 0.5 && v <= beyond - 0.5 ? 0 : 1; }
  double low, beyond;
};
template <>
struct Held<std::int32_t> : WideHeld<std::int32_t> {
  using WideHeld::WideHeld;
};
template <>
struct Held<std::int64_t> : WideHeld<std::int64_t> {
  using WideHeld::WideHeld;
};

template <typename T>
T quantised_wide(float value, const Held<T>& held, std::int32_t zero_point) {
  const double v = std::nearbyint(static_cast<double>(value));
  if (v >= held.beyond) return std::numeric_limits<T>::max();
  return v > held.low ? static_cast<T>(v + zero_point) : std::numeric_limits<T>::min();
}

template <>
std::int32_t quantised(float value, const Held<std::int32_t>& held, std::int32_t zero_point) {
  return quantised_wide(value, held, zero_point);
}

template <>
std::int64_t quantised(float value, const Held<std::int64_t>& held, std::int32_t zero_point) {
  return quantised_wide(value, held, zero_point);
}

// All of these give how many values the type does not hold. n < 2^32: a tensor has up to 2 GiB.
template <typename T>
unsigned quantise_run(const float* __restrict in, std::size_t n, float scale, std::int32_t zero_point,
                      T* __restrict out) {
  const Held<T> held(zero_point);
  unsigned clipped = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float v = in[i] / scale;
    out[i] = quantised<T>(v, held, zero_point);
    clipped += held.lacks(v);
  }
  return clipped;
}

// One element per channel: NHWC and the like.
template <typename T>
unsigned quantise_channels(const float* __restrict in, std::size_t n, const float* __restrict scale,
                           const std::int32_t* __restrict zero_point, T* __restrict out) {
  unsigned clipped = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const Held<T> held(zero_point[i]);
    const float v = in[i] / scale[i];
    out[i] = quantised<T>(v, held, zero_point[i]);
    clipped += held.lacks(v);
  }
  return clipped;
}

template <typename T>
void dequantise_run(const T* __restrict in, std::size_t n, float scale, std::int32_t zero_point,
                    float* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(in[i] - zero_point) * scale;
}

template <typename T>
void dequantise_channels(const T* __restrict in, std::size_t n, const float* __restrict scale,
                         const std::int32_t* __restrict zero_point, float* __restrict out) {
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<float>(in[i] - zero_point[i]) * scale[i];
}

template <typename T>
std::uint64_t quantise_all(const float* in, const ChannelView& view, const QuantParams& q, T* out) {
  std::uint64_t clipped = 0;
  for (std::size_t o = 0; o < view.outer; ++o) {
    if (view.inner == 1 && view.channels > 1) {
      clipped += quantise_channels(in, view.channels, q.scale.data(), q.zero_point.data(), out);
      in += view.channels;
      out += view.channels;
      continue;
    }
    for (std::size_t c = 0; c < view.channels; ++c, in += view.inner, out += view.inner) {
      clipped += quantise_run(in, view.inner, q.scale[c], q.zero_point[c], out);
    }
  }
  return clipped;
}

// float16 goes through a buffer on the stack, so that the node needs no scratch.
template <typename T>
std::uint64_t quantise_halves(const std::uint16_t* in, const ChannelView& view, const QuantParams& q,
                              T* out) {
  std::array<float, 256> buffer;
  const std::size_t total = view.outer * view.channels * view.inner;
  std::uint64_t clipped = 0;
  for (std::size_t at = 0; at < total;) {
    const std::size_t channel = at / view.inner % view.channels;
    const std::size_t n = std::min(buffer.size(), view.inner - at % view.inner);
    from_half(in + at, n, buffer.data());
    clipped += quantise_run(buffer.data(), n, q.scale[channel], q.zero_point[channel], out + at);
    at += n;
  }
  return clipped;
}

template <typename T>
std::uint64_t quantise_to(const std::byte* in, DType from, const ChannelView& view, const QuantParams& q,
                          std::byte* out) {
  if (from == DType::kFloat16) {
    return quantise_halves(reinterpret_cast<const std::uint16_t*>(in), view, q, reinterpret_cast<T*>(out));
  }
  return quantise_all(reinterpret_cast<const float*>(in), view, q, reinterpret_cast<T*>(out));
}

template <typename T>
void dequantise_from(const std::byte* bytes, const ChannelView& view, const QuantParams& q, float* out) {
  const T* in = reinterpret_cast<const T*>(bytes);
  for (std::size_t o = 0; o < view.outer; ++o) {
    if (view.inner == 1 && view.channels > 1) {
      dequantise_channels(in, view.channels, q.scale.data(), q.zero_point.data(), out);
      in += view.channels;
      out += view.channels;
      continue;
    }
    for (std::size_t c = 0; c < view.channels; ++c, in += view.inner, out += view.inner) {
      dequantise_run(in, view.inner, q.scale[c], q.zero_point[c], out);
    }
  }
}

Status no_such(std::string_view what, DType dtype, std::string_view allowed) {
  return invalid(fmt::format("{} {}, allowed: {}", what, name_of(dtype), allowed));
}

}  // namespace

ChannelView channel_view(const Shape& shape, const QuantParams& quant) {
  ChannelView view;
  for (std::size_t i = 0; i < shape.rank(); ++i) {
    const auto size = static_cast<std::size_t>(shape[i]);
    if (quant.per_tensor() || i > static_cast<std::size_t>(quant.axis)) {
      view.inner *= size;
    } else if (i == static_cast<std::size_t>(quant.axis)) {
      view.channels = size;
    } else {
      view.outer *= size;
    }
  }
  return view;
}

Result<std::uint64_t> quantize_linear(const std::byte* in, DType from, const ChannelView& view,
                                      const QuantParams& quant, DType to, std::byte* out) {
  if (from != DType::kFloat32 && from != DType::kFloat16)
    return no_such("cannot quantise", from, "float32, float16");
  switch (to) {
    case DType::kUint8:
      return quantise_to<std::uint8_t>(in, from, view, quant, out);
    case DType::kInt8:
      return quantise_to<std::int8_t>(in, from, view, quant, out);
    case DType::kUint16:
      return quantise_to<std::uint16_t>(in, from, view, quant, out);
    case DType::kInt16:
      return quantise_to<std::int16_t>(in, from, view, quant, out);
    case DType::kInt32:
      return quantise_to<std::int32_t>(in, from, view, quant, out);
    case DType::kInt64:
      return quantise_to<std::int64_t>(in, from, view, quant, out);
    default:
      return no_such("cannot quantise to", to, "uint8, int8, uint16, int16, int32, int64");
  }
}

Status dequantize_linear(const std::byte* in, DType from, const ChannelView& view, const QuantParams& quant,
                         float* out) {
  switch (from) {
    case DType::kUint8:
      dequantise_from<std::uint8_t>(in, view, quant, out);
      return {};
    case DType::kInt8:
      dequantise_from<std::int8_t>(in, view, quant, out);
      return {};
    case DType::kUint16:
      dequantise_from<std::uint16_t>(in, view, quant, out);
      return {};
    case DType::kInt16:
      dequantise_from<std::int16_t>(in, view, quant, out);
      return {};
    default:
      return no_such("cannot dequantise", from, "uint8, int8, uint16, int16");
  }
}

}  // namespace sluice::pixels
