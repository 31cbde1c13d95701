// What the tests of the plan room share: node types that stand for the real ones, models that need no file,
// and plans and issues of a text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/plan/plan.h"

namespace sluice::testing {

// source (live, pace), pass and work (any -> any; pass is cheap), pre (frame -> tensor of `model`, or float
// 1x3x8x8 that can be written as any integer), prefloat (the same, cannot fold), placed (the same, on a
// device), infer, detect (reads integers), floatdetect (does not), draw (edits), join, many (several frames),
// switch, drop_stale, rate, quantize, dequantize, sink (path), void, view (observer), own (its own thread).
const Registry& registry();

// Models by path: "float.onnx" 1x3x8x8 -> a 1x4, b 1x2; "quant.onnx" the same, input uint8 (0.5, 128),
// outputs uint8 (0.25, 0); "small.onnx" 1x3x4x4; "batch.onnx" with a free first dimension; "two.onnx" inputs
// x and y; "plain.onnx" a uint8 input without parameters; "half.onnx" other output names; "open.onnx"
// symbolic height. Others are missing.
Result<ModelSignature> read_fake_signature(const ModelPlan& model, std::string_view variant);

PlanInputs plan_inputs();
// "version: 1" and `text`.
PlanResult plan_of(std::string_view text, const PlanInputs& inputs = plan_inputs());
// "LINE:COLUMN: MESSAGE" of every issue, in order; warnings as "LINE:COLUMN: warning: ...", exit 3 as "...
// (3)".
std::vector<std::string> issues_of(std::string_view text, const PlanInputs& inputs = plan_inputs());

const NodePlan& node(const PlanResult& result, std::string_view id);
// The exact edge or mailbox from one node to another.
const PlanEdge& edge(const PlanResult& result, std::string_view from, std::string_view to);

}  // namespace sluice::testing
