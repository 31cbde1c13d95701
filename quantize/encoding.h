// How numbers become integers: real = (q - zero_point) * scale, as ONNX QuantizeLinear defines it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "quantize/onnx_proto.h"

namespace sluice::quantize {

struct Encoding {
  int bits = 8;  // 8, 16 or (biases) 32
  bool is_signed = false;
  int axis = -1;  // -1: one scale for the whole tensor
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;  // as many as scale

  std::int32_t lowest() const;
  std::int32_t highest() const;
  std::int32_t element() const;  // TensorProto data type
  // The reals that `lowest` and `highest` stand for, per tensor.
  float minimum() const { return static_cast<float>(lowest() - zero_point[0]) * scale[0]; }
  float maximum() const { return static_cast<float>(highest() - zero_point[0]) * scale[0]; }
  bool operator==(const Encoding&) const = default;
};

struct Range {
  float min = 0;
  float max = 0;
};

// Narrower ranges are widened to this, so that no scale vanishes (the value of ONNX Runtime's QNN
// configuration).
constexpr float kLeastRange = 1e-4f;

// Unsigned over the range, which always contains zero: padding and ReLU must be exact.
Encoding asymmetric(Range range, int bits);
// Signed around zero: -127..127, not -128, as the HTP's weights are.
Encoding symmetric(float largest, int bits);
// The HTP computes Sigmoid and Tanh with these only; Softmax's results lie in 0..1.
Encoding sigmoid_encoding(int bits);
Encoding tanh_encoding(int bits);

// Rounds half to even and saturates. `channel`: index into scale.
std::int32_t quantise(float value, const Encoding& encoding, std::size_t channel = 0);

// `values` of a tensor of `dims` as bytes of the encoding's element type.
std::string quantise_all(std::span<const float> values, std::span<const std::int64_t> dims,
                         const Encoding& encoding);

}  // namespace sluice::quantize
