#include "quantize/operators.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>

#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

using Kind = OperatorKind;

const std::map<std::string_view, OperatorRule>& rules() {
  static const std::map<std::string_view, OperatorRule> kRules = {
      {"Conv", {Kind::kConv}},
      {"ConvTranspose", {Kind::kConv}},
      {"Gemm", {Kind::kGemm}},
      {"MatMul", {Kind::kMatMul}},
      {"InstanceNormalization", {Kind::kNormalise}},
      {"LayerNormalization", {Kind::kNormalise}},
      {"Relu", {Kind::kClip, 1}},
      {"Clip", {Kind::kClip, 1}},
      {"AveragePool", {Kind::kSame, 1}},
      {"DepthToSpace", {Kind::kSame, 1}},
      {"Expand", {Kind::kSame, 1}},
      {"Flatten", {Kind::kSame, 1}},
      {"Gather", {Kind::kSame, 1}},
      {"GatherElements", {Kind::kSame, 1}},
      {"GatherND", {Kind::kSame, 1}},
      {"Identity", {Kind::kSame, 1}},
      {"MaxPool", {Kind::kSame, 1}},
      {"Pad", {Kind::kSame, 1}},
      {"Reshape", {Kind::kSame, 1}},
      {"Resize", {Kind::kSame, 1}},
      {"Slice", {Kind::kSame, 1}},
      {"SpaceToDepth", {Kind::kSame, 1}},
      {"Split", {Kind::kSame, 1}},
      {"Squeeze", {Kind::kSame, 1}},
      {"Tile", {Kind::kSame, 1}},
      {"TopK", {Kind::kSame, 1}},
      {"Transpose", {Kind::kSame, 1}},
      {"Unsqueeze", {Kind::kSame, 1}},
  };
  return kRules;
}

// The rest of the provider's builders that take integers (shared facts of QNN EP 2.7.0, section 9, and its
// sources' list of quantised operators).
constexpr std::array<std::string_view, 44> kPlainOperators = {"Abs",
                                                              "Add",
                                                              "ArgMax",
                                                              "ArgMin",
                                                              "Concat",
                                                              "Cos",
                                                              "Div",
                                                              "Elu",
                                                              "Equal",
                                                              "Exp",
                                                              "Gelu",
                                                              "GlobalAveragePool",
                                                              "GlobalMaxPool",
                                                              "Greater",
                                                              "GreaterOrEqual",
                                                              "GridSample",
                                                              "HardSigmoid",
                                                              "HardSwish",
                                                              "LRN",
                                                              "LeakyRelu",
                                                              "Less",
                                                              "LessOrEqual",
                                                              "Log",
                                                              "LogSoftmax",
                                                              "LpNormalization",
                                                              "Max",
                                                              "Mean",
                                                              "Min",
                                                              "Mul",
                                                              "Neg",
                                                              "PRelu",
                                                              "Pow",
                                                              "Reciprocal",
                                                              "ReduceMax",
                                                              "ReduceMean",
                                                              "ReduceMin",
                                                              "ReduceSum",
                                                              "Sigmoid",
                                                              "Sin",
                                                              "Softmax",
                                                              "Sqrt",
                                                              "Sub",
                                                              "Sum",
                                                              "Tanh"};

}  // namespace

OperatorRule rule_of(const pb::NodeProto& node) {
  if (!node.domain().empty() && node.domain() != "ai.onnx") return {};
  // ONNX Runtime's integer kernel has none, and takes no model that asks it for one.
  if (node.op_type() == "AveragePool" && find_attribute(node, "dilations")) return {};
  const auto found = rules().find(node.op_type());
  if (found != rules().end()) return found->second;
  if (node.op_type() == "Where") return {Kind::kPlain};
  if (std::find(kPlainOperators.begin(), kPlainOperators.end(), node.op_type()) != kPlainOperators.end())
    return {Kind::kPlain};
  return {};
}

int most_bits(const pb::NodeProto& node) {
  return node.op_type() == "Log" || node.op_type() == "LRN" ? 8 : 16;
}

bool leaves_range(const pb::NodeProto& node) {
  const auto* const mode = find_attribute(node, "mode");
  return node.op_type() == "Pad" || (node.op_type() == "Resize" && mode && mode->s() == "cubic");
}

int channel_axis(const pb::NodeProto& node) {
  if (node.op_type() == "ConvTranspose") return integer_attribute(node, "group", 1) == 1 ? 1 : -1;
  if (node.op_type() == "Gemm") return integer_attribute(node, "transB", 0) != 0 ? 0 : 1;
  return 0;
}

}  // namespace sluice::quantize
