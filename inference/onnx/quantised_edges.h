// Quantisation at a model's edges: a graph input that only feeds QuantizeLinear, or an output that only comes
// from DequantizeLinear, is really an integer tensor (contract section 2, Tensors). Finds such pairs and
// takes them out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/tensor.h"
#include "inference/onnx/model_header.h"

namespace sluice::onnx {

struct EdgeQuant {
  std::int32_t element = 0;  // Element: kUint8, kInt8, kUint16 or kInt16
  QuantParams params;
  std::vector<std::size_t> operators;  // the Q (several with equal parameters) or DQ nodes to take out
  std::vector<Bytes> inner;            // the integer tensors' names inside the graph
};

// Parallel to the header's inputs and outputs; none: a plain tensor.
struct QuantisedEdges {
  std::vector<std::optional<EdgeQuant>> inputs;
  std::vector<std::optional<EdgeQuant>> outputs;
  bool any() const;
};

// Float32 pairs with constant parameters, per tensor or per index of one dimension. Graphs with subgraphs
// have none: those may read the inner tensors.
QuantisedEdges find_quantised_edges(const ModelHeader& header);

// The model without the pairs in `edges`: their nodes are gone, the graph's inputs and outputs keep their
// names and take the integer type. `header` was read from `model`.
std::string strip_quantised_edges(Bytes model, const ModelHeader& header, const QuantisedEdges& edges);

}  // namespace sluice::onnx
