// Reads the elements of a tensor as real numbers, whatever the model's element type: float32, float16, plain
// integers, and integers quantised per tensor (real = (q - zero_point) * scale).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "framework/core/half.h"
#include "framework/core/packet.h"

namespace sluice {

// A float16 element, told from uint16 by its type.
struct Half {
  std::uint16_t bits;
};

// The elements of one tensor of element type T. Does not own them.
template <typename T>
struct Elements {
  static constexpr bool kIsInteger = std::is_integral_v<T>;
  const T* data = nullptr;
  float scale = 1;
  std::int32_t zero_point = 0;

  float operator[](std::size_t i) const {
    if constexpr (kIsInteger)
      return static_cast<float>(static_cast<std::int64_t>(data[i]) - zero_point) * scale;
    else if constexpr (std::is_same_v<T, Half>)
      return from_half(data[i].bits);
    else
      return data[i];
  }

  // What is compared instead of the real value, so that a scan converts nothing: `raw(i) >= floor_of(t)`
  // means `(*this)[i] >= t`. Comparisons with NaN are false.
  auto raw(std::size_t i) const {
    if constexpr (kIsInteger)
      return static_cast<std::int64_t>(data[i]);
    else
      return (*this)[i];
  }
  auto floor_of(float threshold) const {
    if constexpr (kIsInteger) {
      constexpr double kBeyondAnyElement = 0x1p62;
      const double steps = std::ceil(static_cast<double>(threshold) / scale + zero_point);
      return static_cast<std::int64_t>(std::fmin(std::fmax(steps, -kBeyondAnyElement), kBeyondAnyElement));
    } else {
      return threshold;
    }
  }
};

// True for the element types that `with_elements` reads; quantisation per axis is not among them.
inline bool is_readable(const TensorType& type) {
  if (type.quant && !type.quant->per_tensor()) return false;
  return type.dtype != DType::kBool && type.dtype != DType::kFloat64;
}

// Calls `use(Elements<T>)` with the tensor's own T. The tensor is_readable.
template <typename Use>
auto with_elements(const Tensor& tensor, Use&& use) {
  const auto as = [&]<typename T>(const T*) {
    Elements<T> elements{reinterpret_cast<const T*>(tensor.data)};
    if (const auto& quant = tensor.type->quant; quant && !quant->scale.empty()) {
      elements.scale = quant->scale.front();
      elements.zero_point = quant->zero_point.front();
    }
    return use(elements);
  };
  switch (tensor.type->dtype) {
    case DType::kUint8:
      return as(static_cast<const std::uint8_t*>(nullptr));
    case DType::kInt8:
      return as(static_cast<const std::int8_t*>(nullptr));
    case DType::kUint16:
      return as(static_cast<const std::uint16_t*>(nullptr));
    case DType::kInt16:
      return as(static_cast<const std::int16_t*>(nullptr));
    case DType::kInt32:
      return as(static_cast<const std::int32_t*>(nullptr));
    case DType::kInt64:
      return as(static_cast<const std::int64_t*>(nullptr));
    case DType::kFloat16:
      return as(static_cast<const Half*>(nullptr));
    default:
      return as(static_cast<const float*>(nullptr));
  }
}

// One element; for the few that a scan has picked.
inline float element(const Tensor& tensor, std::size_t i) {
  return with_elements(tensor, [i](const auto& elements) { return elements[i]; });
}

}  // namespace sluice
