// Tensor types: element type, shape, layout and quantisation, which is part of the type (contract section 2).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice {

enum class DType : std::uint8_t {
  kFloat32,
  kFloat16,
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kInt32,
  kInt64,
  kBool,
  kFloat64
};
std::string_view name_of(DType dtype);  // "float32", ...
std::optional<DType> parse_dtype(std::string_view name);
std::size_t size_of(DType dtype);  // bytes per element
bool is_integer(DType dtype);      // integers that can carry quantisation

enum class Layout : std::uint8_t { kNone, kNchw, kNhwc };
std::string_view name_of(Layout layout);  // "none", "nchw", "nhwc"
std::optional<Layout> parse_layout(std::string_view name);

// Dimensions, outermost first; a symbolic one is -1. At most 8, held in place.
class Shape {
 public:
  static constexpr std::size_t kMaxRank = 8;
  static constexpr std::int64_t kSymbolic = -1;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims);
  // Fails above kMaxRank.
  static Result<Shape> from(const std::vector<std::int64_t>& dims);

  std::size_t rank() const { return rank_; }
  std::int64_t operator[](std::size_t i) const { return dims_[i]; }
  std::int64_t& operator[](std::size_t i) { return dims_[i]; }
  const std::int64_t* begin() const { return dims_.data(); }
  const std::int64_t* end() const { return dims_.data() + rank_; }
  bool is_static() const;    // no symbolic dimension
  std::string text() const;  // "1x3x128x128", "?" for a symbolic one
  bool operator==(const Shape& other) const;

 private:
  std::array<std::int64_t, kMaxRank> dims_{};
  std::size_t rank_ = 0;
};

// Overflow-checked product of the dimensions; fails for symbolic or negative ones.
Result<std::size_t> element_count(const Shape& shape);
// Overflow-checked bytes; fails above 2 GiB, which nothing on an edge device holds.
Result<std::size_t> byte_size(DType dtype, const Shape& shape);

// real = (q - zero_point) * scale, as ONNX QuantizeLinear defines it. One entry per tensor, or one per index
// of `axis`.
struct QuantParams {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;  // as many as scale
  int axis = -1;                         // -1: per tensor
  bool per_tensor() const { return axis < 0; }
  bool operator==(const QuantParams&) const = default;
};

// Same dtype family, axis, zero points, and scales within 1e-6 relative (contract section 2).
bool agree(const QuantParams& a, const QuantParams& b);

struct TensorType {
  std::string name;  // the model's name of it; empty where there is none
  DType dtype = DType::kFloat32;
  Shape shape;
  Layout layout = Layout::kNone;
  std::optional<QuantParams> quant;  // only for integers; none: plain numbers
  std::string text() const;          // "uint8 1x3x128x128 nchw (scale 0.0078, zero point 128)"
};

}  // namespace sluice
