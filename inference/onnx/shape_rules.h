// What shape an operator's output has, from the shapes of its inputs.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/onnx/attributes.h"
#include "inference/onnx/model_header.h"

namespace sluice::onnx {

using Dims = std::vector<std::int64_t>;  // each 0 to 2^31

// One operator with what is known of its inputs; null where nothing is.
struct Call {
  const Operator& op;
  Attributes attributes;
  std::vector<const Dims*> shapes;
  std::vector<const Numbers*> numbers;  // elements of small tensors
};

// Of all outputs; empty when the operator is none of those below or an input that it needs is unknown.
// Convolutions, pooling, matrix products, element by element, reductions, and what moves elements around.
std::vector<Dims> output_shapes(const Call& call);

// Elements of the output, where it is a small tensor that is made of known ones: a shape that is computed.
std::optional<Numbers> output_numbers(const Call& call);

}  // namespace sluice::onnx
