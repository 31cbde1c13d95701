// Attributes of an operator and small tensors, read from their protobuf bytes when somebody asks.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/onnx/wire.h"

namespace sluice::onnx {

using Numbers = std::vector<double>;

// A view into the bytes of one NodeProto, which must outlive it. What is not there, or not as ONNX says,
// counts as not given.
class Attributes {
 public:
  explicit Attributes(Bytes node) : node_(node) {}
  std::int64_t number(Bytes name, std::int64_t otherwise) const;
  // Integers or floats; none when the attribute is missing.
  std::optional<Numbers> numbers(Bytes name) const;
  Bytes text(Bytes name) const;
  Bytes tensor(Bytes name) const;  // the TensorProto

 private:
  Bytes find(Bytes name) const;

  Bytes node_;
};

// The NodeProtos of a model's graph, in the file's order; empty when the bytes are no ONNX model.
std::vector<Bytes> node_messages(Bytes file);

// Sizes of a TensorProto.
std::vector<std::int64_t> tensor_dims(Bytes tensor);
// How many elements that makes, -1 when it is no sane number, and their type (model_header.h).
std::int64_t tensor_elements(Bytes tensor);
std::int32_t tensor_element(Bytes tensor);
// What a shape can be made of; longer ones are data.
constexpr std::int64_t kMostElements = 64;
// Its elements when they are int32, int64 or float32, stand in the file and are kMostElements at most.
std::optional<Numbers> tensor_numbers(Bytes tensor);

}  // namespace sluice::onnx
