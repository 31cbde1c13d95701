// Multiply-accumulates of a model, from its header alone.
#pragma once

#include <cstdint>
#include <optional>

#include "inference/onnx/model_header.h"

namespace sluice::onnx {

struct Macs {
  // Of convolutions and matrix products for one run; none when the file lacks a shape for one of them
  // (counted in `without_shape`), a dimension is symbolic, or there are subgraphs.
  std::optional<std::int64_t> total;
  int without_shape = 0;
};

Macs count_macs(const ModelHeader& header);

}  // namespace sluice::onnx
