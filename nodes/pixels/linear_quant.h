// QuantizeLinear and DequantizeLinear over arrays, as ONNX defines them. Vectorised by the compiler; any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>

#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice::pixels {

// A tensor seen as outer x channels x inner elements; channels = 1 for per-tensor parameters.
struct ChannelView {
  std::size_t outer = 1;
  std::size_t channels = 1;
  std::size_t inner = 1;
};
// `shape` is static and `quant.axis` within it (or -1).
ChannelView channel_view(const Shape& shape, const QuantParams& quant);

// q = saturate(round half to even(x / scale) + zero_point). NaN becomes the smallest q. `from` is float32 or
// float16, `to` uint8, int8, uint16, int16, int32 or int64 (kInvalid otherwise). The arrays do not overlap.
// Gives how many values lay more than half a step outside what `to` holds, or were NaN.
Result<std::uint64_t> quantize_linear(const std::byte* in, DType from, const ChannelView& view,
                                      const QuantParams& quant, DType to, std::byte* out);

// x = (q - zero_point) * scale, as float32.
Status dequantize_linear(const std::byte* in, DType from, const ChannelView& view, const QuantParams& quant,
                         float* out);

}  // namespace sluice::pixels
