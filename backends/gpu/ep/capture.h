// ONNX Runtime's graph in our own words.
#pragma once

#include <vector>

#include "backends/gpu/ep/api.h"
#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// Constants are views: `graph` outlives the result. Throws Ort::Exception.
Graph capture(const Ort::ConstGraph& graph);

// The same for one fused node; inputs are those that a run gets, in its order.
Graph capture(const Ort::ConstGraph& graph, const Ort::ConstNode& fused);

}  // namespace sluice::gpu
