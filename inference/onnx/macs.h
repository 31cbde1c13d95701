// Multiply-accumulates of a model, from its header and the attributes of its operators.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "inference/onnx/model_header.h"
#include "inference/onnx/shapes.h"

namespace sluice::onnx {

struct Macs {
  // Of convolutions and matrix products for one run; none when the shape of one of them is neither in the
  // file nor follows (counted in `without_shape`), a dimension is symbolic, there are subgraphs, or operators
  // multiply in ways that are not counted here (`uncounted`, their types).
  std::optional<std::int64_t> total;
  int without_shape = 0;
  std::set<std::string> uncounted;
};

// `file` and `dims` as in shapes_of.
Macs count_macs(const ModelHeader& header, Bytes file, const FixedDims& dims = {});

}  // namespace sluice::onnx
