// Scales and zero points inside a QDQ model, read from its header: one entry per tensor.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inference/onnx/model_header.h"

namespace sluice::cli {

struct TensorEncoding {
  std::string name;   // the float tensor's, or the weight's
  std::string dtype;  // "uint8", "int8", "uint16", "int16", "int32"
  bool weight = false;
  std::vector<float> scale;              // one, or one per channel
  std::vector<std::int32_t> zero_point;  // as many
};

// By DequantizeLinear nodes with constant parameters, in the order of the file.
std::vector<TensorEncoding> encodings_of(const onnx::ModelHeader& header);

// The same as QNN's and AIMET's JSON, version 1.0.0; offset = -zero_point.
std::string encodings_json(const std::vector<TensorEncoding>& encodings);

}  // namespace sluice::cli
