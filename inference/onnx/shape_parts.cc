#include "inference/onnx/shape_parts.h"

#include <algorithm>
#include <cmath>

namespace sluice::onnx {

bool sane(const Dims& dims) {
  return std::all_of(dims.begin(), dims.end(), [](std::int64_t d) { return d >= 0 && d < kMostDim; });
}

std::optional<Dims> whole(const std::optional<Numbers>& numbers) {
  if (!numbers) return std::nullopt;
  Dims out;
  for (const double value : *numbers) {
    if (!(std::abs(value) <= static_cast<double>(kMostDim))) return std::nullopt;
    out.push_back(static_cast<std::int64_t>(value));
  }
  return out;
}

std::optional<Dims> given(const Call& call, Bytes attribute, std::size_t place) {
  if (place < call.numbers.size() && call.numbers[place]) return whole(*call.numbers[place]);
  return whole(call.attributes.numbers(attribute));
}

const Dims* shape(const Call& call, std::size_t i) {
  return i < call.shapes.size() ? call.shapes[i] : nullptr;
}

std::optional<std::size_t> axis_of(std::int64_t axis, std::size_t rank) {
  const auto size = static_cast<std::int64_t>(rank);
  if (axis < -size || axis >= size) return std::nullopt;
  return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
}

Shape first_input_shape(const Call& call) {
  const Dims* x = shape(call, 0);
  return x ? Shape(*x) : std::nullopt;
}

}  // namespace sluice::onnx
