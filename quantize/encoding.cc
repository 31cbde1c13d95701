#include "quantize/encoding.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace sluice::quantize {

std::int32_t Encoding::lowest() const {
  if (!is_signed) return 0;
  if (bits == 32) return std::numeric_limits<std::int32_t>::min();
  return -(1 << (bits - 1));
}

std::int32_t Encoding::highest() const {
  if (bits == 32) return std::numeric_limits<std::int32_t>::max();
  return is_signed ? (1 << (bits - 1)) - 1 : (1 << bits) - 1;
}

std::int32_t Encoding::element() const {
  if (bits == 32) return pb::TensorProto::INT32;
  if (bits == 16) return is_signed ? pb::TensorProto::INT16 : pb::TensorProto::UINT16;
  return is_signed ? pb::TensorProto::INT8 : pb::TensorProto::UINT8;
}

Encoding asymmetric(Range range, int bits) {
  const double min = std::min(0.0, static_cast<double>(range.min));
  const double max = std::max({0.0, static_cast<double>(range.max), min + kLeastRange});
  Encoding out{.bits = bits};
  const double scale = (max - min) / out.highest();
  const double zero = std::nearbyint(-min / scale);
  out.scale = {static_cast<float>(scale)};
  out.zero_point = {static_cast<std::int32_t>(std::clamp(zero, 0.0, static_cast<double>(out.highest())))};
  return out;
}

Encoding symmetric(float largest, int bits) {
  Encoding out{.bits = bits, .is_signed = true};
  out.scale = {std::max(largest, kLeastRange / 2) / static_cast<float>(out.highest())};
  out.zero_point = {0};
  return out;
}

Encoding sigmoid_encoding(int bits) { return {bits, false, -1, {1.0f / static_cast<float>(1 << bits)}, {0}}; }

Encoding tanh_encoding(int bits) {
  return {bits, false, -1, {1.0f / static_cast<float>(1 << (bits - 1))}, {1 << (bits - 1)}};
}

std::int32_t quantise(float value, const Encoding& encoding, std::size_t channel) {
  const double q =
      std::nearbyint(static_cast<double>(value) / encoding.scale[channel]) + encoding.zero_point[channel];
  // Symmetric weights leave out the lowest integer.
  const double lowest = encoding.is_signed && encoding.bits < 32 ? encoding.lowest() + 1 : encoding.lowest();
  return static_cast<std::int32_t>(std::clamp(q, lowest, static_cast<double>(encoding.highest())));
}

std::string quantise_all(std::span<const float> values, std::span<const std::int64_t> dims,
                         const Encoding& encoding) {
  std::size_t inner = 1;
  for (std::size_t d = static_cast<std::size_t>(encoding.axis) + 1; encoding.axis >= 0 && d < dims.size();
       ++d)
    inner *= static_cast<std::size_t>(dims[d]);
  const auto bytes = static_cast<std::size_t>(encoding.bits / 8);
  std::string out(values.size() * bytes, '\0');
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t channel = encoding.axis < 0 ? 0 : i / inner % encoding.scale.size();
    const auto q = static_cast<std::uint32_t>(quantise(values[i], encoding, channel));
    for (std::size_t b = 0; b < bytes; ++b) out[i * bytes + b] = static_cast<char>(q >> (8 * b) & 0xff);
  }
  return out;
}

}  // namespace sluice::quantize
