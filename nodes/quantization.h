// What `quantize` and `dequantize` share: parameters from their options or from the neighbouring model.
#pragma once

#include <optional>

#include "framework/core/status.h"
#include "framework/core/tensor.h"
#include "framework/node/declaration.h"
#include "framework/node/node.h"
#include "framework/node/options.h"

namespace sluice {

// An element type with its quantisation.
struct Quantised {
  DType dtype = DType::kUint8;
  QuantParams params;
};

// Declares `scale`, `zero_point`, `dtype` and `axis`.
void declare_quantization(NodeDeclaration& declaration);

// The parameters to use for a tensor of `shape`: those written in the options, or else those of `neighbour`
// (may be null), a tensor that messages call `where`. Not written and not known: the neighbour's integer
// type, else uint8; zero point 0; per tensor. kInvalid when no scale is known, when options and neighbour
// contradict each other (dtype, zero point, axis, or scale by more than 1e-6 relative; the message names
// both), or when they do not fit the shape.
Result<Quantised> resolve_quantization(const Options& options, const TensorType* neighbour,
                                       std::string_view where, const Shape& shape);

// A node that the plan inserted for some routes has nothing to convert in this one: input and output are of
// one type.
bool is_copied(const NodeRoute& route);
void copy_elements(const Tensor& from, Tensor& to);

}  // namespace sluice
