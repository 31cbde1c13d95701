#include "inference/value_ranges.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "framework/core/half.h"

namespace sluice {
namespace {

constexpr std::size_t kChunk = 1024;

// Which index of the quantised dimension an element has.
struct Channels {
  std::size_t inner = 1;
  std::size_t count = 1;
  std::size_t of(std::size_t element) const { return element / inner % count; }
};

Channels channels_of(const TensorType& type) {
  Channels out;
  if (!type.quant || type.quant->per_tensor()) return out;
  const auto axis = static_cast<std::size_t>(type.quant->axis);
  out.count = static_cast<std::size_t>(type.shape[axis]);
  for (std::size_t i = axis + 1; i < type.shape.rank(); ++i)
    out.inner *= static_cast<std::size_t>(type.shape[i]);
  return out;
}

template <typename T>
void widen(const TensorType& type, const Channels& channels, const std::byte* data, std::size_t at,
           std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, data + (at + i) * sizeof value, sizeof value);
    const std::size_t channel = channels.of(at + i);
    to[i] = type.quant
                ? static_cast<float>(static_cast<std::int32_t>(value) - type.quant->zero_point[channel]) *
                      type.quant->scale[channel]
                : static_cast<float>(value);
  }
}

void read(const TensorType& type, const Channels& channels, const std::byte* data, std::size_t at,
          std::span<float> to) {
  switch (type.dtype) {
    case DType::kFloat32:
      std::memcpy(to.data(), data + at * sizeof(float), to.size_bytes());
      return;
    case DType::kFloat16:
      return from_half(reinterpret_cast<const std::uint16_t*>(data) + at, to.size(), to.data());
    case DType::kFloat64:
      return widen<double>(type, channels, data, at, to);
    case DType::kUint8:
    case DType::kBool:
      return widen<std::uint8_t>(type, channels, data, at, to);
    case DType::kInt8:
      return widen<std::int8_t>(type, channels, data, at, to);
    case DType::kUint16:
      return widen<std::uint16_t>(type, channels, data, at, to);
    case DType::kInt16:
      return widen<std::int16_t>(type, channels, data, at, to);
    case DType::kInt32:
      return widen<std::int32_t>(type, channels, data, at, to);
    case DType::kInt64:
      return widen<std::int64_t>(type, channels, data, at, to);
  }
}

// The value for `key`, made when it is not there.
template <typename Map>
typename Map::mapped_type& at_key(Map& map, std::string_view key) {
  const auto found = map.find(key);
  return found != map.end() ? found->second : map[std::string(key)];
}

}  // namespace

void ValueRanges::add(std::string_view model, const TensorType& type, const Tensor& tensor) {
  const Channels channels = channels_of(type);
  const std::size_t count = tensor.bytes / size_of(type.dtype);
  std::array<float, kChunk> chunk;
  const std::lock_guard lock(mutex_);
  ValueHistogram& values = at_key(at_key(tensors_, model), type.name);
  for (std::size_t at = 0; at < count; at += kChunk) {
    const std::span<float> part(chunk.data(), std::min(kChunk, count - at));
    read(type, channels, tensor.data, at, part);
    values.add(part);
  }
}

std::vector<TensorRange> ValueRanges::ranges() const {
  std::vector<TensorRange> out;
  const std::lock_guard lock(mutex_);
  for (const auto& [model, tensors] : tensors_)
    for (const auto& [tensor, values] : tensors) out.push_back({model, tensor, values});
  return out;
}

}  // namespace sluice
