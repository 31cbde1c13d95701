// From a sample, whose arrays come in any order, to what an evaluator takes.
#pragma once

#include <vector>

#include "backends/ort/evaluator.h"
#include "framework/core/status.h"
#include "quantize/onnx_proto.h"
#include "quantize/samples.h"

namespace sluice::quantize {

// The sample's arrays in the order of the evaluator's inputs; they stay the sample's. kInvalid: one is
// missing, or has another size or type than `graph` says.
Result<std::vector<ort::ArrayView>> arrange(const Sample& sample, const ort::Evaluator& evaluator,
                                            const pb::GraphProto& graph);

}  // namespace sluice::quantize
