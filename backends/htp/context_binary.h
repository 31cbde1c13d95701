// What a context binary of QNN (as AI Hub and QAIRT's tools write it) says of itself: for which chip, by
// which release, and its graph's inputs and outputs.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice::htp {

struct BinaryTensor {
  std::string name;
  std::int32_t element = 0;  // onnx::Element
  std::vector<std::int64_t> dims;
  std::optional<float> scale;  // of quantised integers
  std::int32_t zero_point = 0;
};

struct ContextBinary {
  std::string qairt;  // "2.51.0.260929181845"; may be empty
  int soc = 0;        // QNN's number; 0: it does not say
  std::string graph;
  std::vector<BinaryTensor> inputs, outputs;
};

// Asks libQnnSystem.so (its path), which stays loaded. kUnavailable: the library cannot be used; the bytes
// are no context binary, damaged, of another backend than HTP, or have not exactly one graph; a tensor has a
// type that ONNX lacks or another quantisation than per tensor.
Result<ContextBinary> read_context_binary(std::string_view bytes, const std::string& system_library);

// An ONNX model around it: one EPContext node, with QuantizeLinear and DequantizeLinear at quantised edges
// and in its metadata what it was made for (compiled_model.h).
std::string wrap_context_binary(const ContextBinary& info, std::string_view bytes);

// A file NAME.bin as an ONNX model (model_formats.h).
Result<std::string> wrap_context_file(std::string_view bytes, const std::string& path);

}  // namespace sluice::htp
