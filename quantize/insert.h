// Writes the plan's encodings into the graph, as QuantizeLinear and DequantizeLinear around the operators.
#pragma once

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"
#include "quantize/plan.h"

namespace sluice::quantize {

enum class EdgeType {
  kFloat,      // inputs and outputs stay float32; their Q and DQ stand in the graph
  kQuantised,  // they are integers themselves
};

// A quantised operator reads DequantizeLinear's results and writes into QuantizeLinear; weights and biases
// are stored as integers. Names of inputs, outputs and inner tensors stay; what is new ends in _q, _dq,
// _scale, _zero_point or _float.
Status insert_encodings(pb::GraphProto& graph, const QuantPlan& plan, EdgeType edges);

}  // namespace sluice::quantize
