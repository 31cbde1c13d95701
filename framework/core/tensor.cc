#include "framework/core/tensor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace sluice {
namespace {

struct DTypeInfo {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr DTypeInfo kDTypes[] = {
    {DType::kFloat32, "float32", 4}, {DType::kFloat16, "float16", 2}, {DType::kUint8, "uint8", 1},
    {DType::kInt8, "int8", 1},       {DType::kUint16, "uint16", 2},   {DType::kInt16, "int16", 2},
    {DType::kInt32, "int32", 4},     {DType::kInt64, "int64", 8},     {DType::kBool, "bool", 1},
    {DType::kFloat64, "float64", 8},
};
constexpr std::size_t kMaxTensorBytes = std::size_t{1} << 31;

const DTypeInfo& info_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)]; }

}  // namespace

std::string_view name_of(DType dtype) { return info_of(dtype).name; }
std::size_t size_of(DType dtype) { return info_of(dtype).bytes; }

std::optional<DType> parse_dtype(std::string_view name) {
  for (const auto& d : kDTypes) {
    if (d.name == name) return d.dtype;
  }
  return std::nullopt;
}

bool is_integer(DType dtype) {
  return dtype == DType::kUint8 || dtype == DType::kInt8 || dtype == DType::kUint16 ||
         dtype == DType::kInt16 || dtype == DType::kInt32;
}

std::string_view name_of(Layout layout) {
  switch (layout) {
    case Layout::kNone:
      return "none";
    case Layout::kNchw:
      return "nchw";
    case Layout::kNhwc:
      return "nhwc";
  }
  return "none";
}

std::optional<Layout> parse_layout(std::string_view name) {
  for (Layout l : {Layout::kNone, Layout::kNchw, Layout::kNhwc}) {
    if (name_of(l) == name) return l;
  }
  return std::nullopt;
}

Shape::Shape(std::initializer_list<std::int64_t> dims) : rank_(std::min(dims.size(), kMaxRank)) {
  assert(dims.size() <= kMaxRank);
  std::copy_n(dims.begin(), rank_, dims_.begin());
}

Result<Shape> Shape::from(const std::vector<std::int64_t>& dims) {
  if (dims.size() > kMaxRank) {
    return invalid(
        fmt::format("a tensor has {} dimensions, at most {} are supported", dims.size(), kMaxRank));
  }
  Shape shape;
  shape.rank_ = dims.size();
  std::copy(dims.begin(), dims.end(), shape.dims_.begin());
  return shape;
}

bool Shape::is_static() const {
  return std::all_of(begin(), end(), [](std::int64_t d) { return d >= 0; });
}

std::string Shape::text() const {
  if (rank_ == 0) return "scalar";
  std::string out;
  for (std::size_t i = 0; i < rank_; ++i) {
    if (i > 0) out += 'x';
    out += dims_[i] < 0 ? std::string("?") : std::to_string(dims_[i]);
  }
  return out;
}

bool Shape::operator==(const Shape& other) const {
  return std::equal(begin(), end(), other.begin(), other.end());
}

Result<std::size_t> element_count(const Shape& shape) {
  std::size_t count = 1;
  for (std::int64_t d : shape) {
    if (d < 0) return invalid("tensor " + shape.text() + " has a dimension that is not fixed");
    if (d != 0 && count > std::numeric_limits<std::size_t>::max() / static_cast<std::size_t>(d)) {
      return invalid("tensor " + shape.text() + " is larger than can be addressed");
    }
    count *= static_cast<std::size_t>(d);
  }
  return count;
}

Result<std::size_t> byte_size(DType dtype, const Shape& shape) {
  SLUICE_ASSIGN(const std::size_t count, element_count(shape));
  if (count > kMaxTensorBytes / size_of(dtype)) {
    return invalid(fmt::format("tensor {} {} is larger than 2 GiB", name_of(dtype), shape.text()));
  }
  return count * size_of(dtype);
}

bool agree(const QuantParams& a, const QuantParams& b) {
  if (a.axis != b.axis || a.zero_point != b.zero_point || a.scale.size() != b.scale.size()) return false;
  for (std::size_t i = 0; i < a.scale.size(); ++i) {
    const double x = a.scale[i];
    const double y = b.scale[i];
    if (std::abs(x - y) > 1e-6 * std::max(std::abs(x), std::abs(y))) return false;
  }
  return true;
}

std::string TensorType::text() const {
  std::string out = fmt::format("{} {}", name_of(dtype), shape.text());
  if (layout != Layout::kNone) out += fmt::format(" {}", name_of(layout));
  if (!quant) return out;
  if (quant->per_tensor() && !quant->scale.empty()) {
    return out + fmt::format(" (scale {:.9g}, zero point {})", quant->scale[0], quant->zero_point[0]);
  }
  return out + fmt::format(" ({} scales on axis {})", quant->scale.size(), quant->axis);
}

}  // namespace sluice
