// How each tensor of a QDQ model is quantised, from its header alone.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/onnx/model_header.h"

namespace sluice::onnx {

struct TensorEncoding {
  std::string name;           // of the tensor in floats; of weights: of the stored integers
  bool weights = false;       // stored in the file
  std::int32_t element = 0;   // Element
  std::vector<float> scales;  // one, or one per channel; empty: the file does not hold them as constants
  std::vector<std::int32_t> zero_points;  // as many, or none: 0
};

// One entry per integer tensor between QuantizeLinear and DequantizeLinear, or that only one of them touches,
// in the operators' order.
std::vector<TensorEncoding> read_encodings(const ModelHeader& header);

// All numbers of an initializer; none when it is external, of another type, or its bytes do not fit its
// dimensions. float32; integers up to 32 bits.
std::vector<float> float_values(const Initializer& initializer);
std::vector<std::int32_t> int_values(const Initializer& initializer);

}  // namespace sluice::onnx
