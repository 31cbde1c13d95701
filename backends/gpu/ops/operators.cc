#include "backends/gpu/ops/operators.h"

#include <algorithm>
#include <array>

#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

constexpr std::array kOperators = {
    Operator{"Conv", check_conv, lower_conv},
    Operator{"ConvTranspose", check_conv_transpose, lower_conv_transpose},
    Operator{"MaxPool", check_pool, lower_pool},
    Operator{"AveragePool", check_pool, lower_pool},
    Operator{"GlobalAveragePool", check_global_pool, lower_global_pool},
    Operator{"GlobalMaxPool", check_global_pool, lower_global_pool},
    // Elementwise: fusion turns them into Chain, or leaves two full operands to Broadcast.
    Operator{"Relu", check_unary, nullptr},
    Operator{"LeakyRelu", check_unary, nullptr},
    Operator{"Elu", check_unary, nullptr},
    Operator{"Sigmoid", check_unary, nullptr},
    Operator{"HardSigmoid", check_unary, nullptr},
    Operator{"HardSwish", check_unary, nullptr},
    Operator{"Tanh", check_unary, nullptr},
    Operator{"Gelu", check_unary, nullptr},
    Operator{"Erf", check_unary, nullptr},
    Operator{"Exp", check_unary, nullptr},
    Operator{"Log", check_unary, nullptr},
    Operator{"Sqrt", check_unary, nullptr},
    Operator{"Abs", check_unary, nullptr},
    Operator{"Neg", check_unary, nullptr},
    Operator{"Reciprocal", check_unary, nullptr},
    Operator{"Floor", check_unary, nullptr},
    Operator{"Ceil", check_unary, nullptr},
    Operator{"Round", check_unary, nullptr},
    Operator{"Clip", check_clip, nullptr},
    Operator{"PRelu", check_binary, lower_broadcast},
    Operator{"Add", check_binary, lower_broadcast},
    Operator{"Sum", check_binary, lower_broadcast},
    Operator{"Sub", check_binary, lower_broadcast},
    Operator{"Mul", check_binary, lower_broadcast},
    Operator{"Div", check_binary, lower_broadcast},
    Operator{"Pow", check_binary, lower_broadcast},
    Operator{"Min", check_binary, lower_broadcast},
    Operator{"Max", check_binary, lower_broadcast},
    Operator{"BatchNormalization", check_batch_norm, nullptr},
    Operator{"QuantizeLinear", check_quantize, nullptr},
    Operator{"DequantizeLinear", check_quantize, nullptr},
    Operator{"Cast", check_cast, nullptr},
    Operator{"Chain", nullptr, lower_chain},
    // Moving elements.
    Operator{"Identity", check_alias, lower_alias},
    Operator{"Reshape", check_alias, lower_alias},
    Operator{"Flatten", check_alias, lower_alias},
    Operator{"Squeeze", check_alias, lower_alias},
    Operator{"Unsqueeze", check_alias, lower_alias},
    Operator{"Concat", check_concat, lower_concat},
    Operator{"Split", check_split, lower_split},
    Operator{"Slice", check_slice, lower_slice},
    Operator{"Transpose", check_transpose, lower_transpose},
    Operator{"ShuffleChannels", nullptr, lower_shuffle},  // of ir/simplify.cc
    Operator{"Pad", check_pad, lower_pad},
    Operator{"DepthToSpace", check_block, lower_depth_to_space},
    Operator{"SpaceToDepth", check_block, lower_space_to_depth},
    Operator{"Expand", check_expand, lower_expand},
    Operator{"Resize", check_resize, lower_resize},
    Operator{"Upsample", check_resize, lower_resize},
    // Rows and matrices.
    Operator{"MatMul", check_matmul, lower_matmul},
    Operator{"Gemm", check_gemm, lower_gemm},
    Operator{"Softmax", check_softmax, lower_softmax},
    Operator{"LogSoftmax", check_softmax, lower_softmax},
    Operator{"ReduceMean", check_reduce, lower_reduce},
    Operator{"ReduceSum", check_reduce, lower_reduce},
    Operator{"ReduceMax", check_reduce, lower_reduce},
    Operator{"ReduceMin", check_reduce, lower_reduce},
    Operator{"LayerNormalization", check_layer_norm, lower_layer_norm},
    Operator{"InstanceNormalization", check_instance_norm, lower_instance_norm},
};

bool is_float(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kFloat16; }

// Elements are indexed with 32 bits in the kernels.
constexpr std::int64_t kMostElements = std::int64_t{1} << 30;

std::string check_value(const Value& value, const char* role) {
  if (!value.known)
    return std::string("has ") + role + " '" + value.name +
           "' whose shape is not fixed or empty (see 'dims' of the model)";
  if (value.count() > kMostElements)
    return std::string("has ") + role + " '" + value.name + "' of over 2^30 elements";
  if (value.dims.size() > 8) return std::string("has ") + role + " '" + value.name + "' of rank over 8";
  return {};
}

bool converts_types(const Node& node) {
  return node.op == "Cast" || node.op == "QuantizeLinear" || node.op == "DequantizeLinear";
}

}  // namespace

std::span<const Operator> operators() { return kOperators; }

const Operator* find_operator(std::string_view name) {
  const auto found = std::ranges::find(kOperators, name, &Operator::name);
  return found == kOperators.end() ? nullptr : &*found;
}

std::string why_not(const Graph& graph, const Node& node) {
  const Operator* op = node.domain.empty() || node.domain == "ai.onnx" ? find_operator(node.op) : nullptr;
  if (!op || !op->check) return "is no operator of this backend";
  if (node.inputs.empty() || node.inputs[0] == kNone) return "has no input";
  if (node.outputs.empty() || node.outputs[0] == kNone) return "has no output";
  if (std::string why = check_value(graph.input(node, 0), "input"); !why.empty()) return why;
  for (const ValueId id : node.outputs)
    if (id != kNone)
      if (std::string why = check_value(graph.value(id), "output"); !why.empty()) return why;
  if (!converts_types(node)) {
    if (!is_float(graph.input(node, 0).dtype) || !is_float(graph.output(node).dtype))
      return "works on " + std::string(name_of(graph.input(node, 0).dtype)) + ", not on float32 or float16";
  }
  return op->check(graph, node);
}

}  // namespace sluice::gpu
