// The rules are those of the ONNX operator specification (onnx.ai/onnx/operators).
#include "inference/onnx/shape_rules.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "inference/onnx/shape_parts.h"

namespace sluice::onnx {
namespace {

using Name = std::string_view;

constexpr std::array<Name, 42> kSame = {"Relu",
                                        "LeakyRelu",
                                        "Sigmoid",
                                        "Tanh",
                                        "Clip",
                                        "HardSigmoid",
                                        "HardSwish",
                                        "Elu",
                                        "Selu",
                                        "Softplus",
                                        "Softsign",
                                        "Softmax",
                                        "LogSoftmax",
                                        "BatchNormalization",
                                        "InstanceNormalization",
                                        "LayerNormalization",
                                        "GroupNormalization",
                                        "LpNormalization",
                                        "LRN",
                                        "Identity",
                                        "Cast",
                                        "Neg",
                                        "Abs",
                                        "Sqrt",
                                        "Exp",
                                        "Log",
                                        "Floor",
                                        "Ceil",
                                        "Round",
                                        "Erf",
                                        "Gelu",
                                        "Mish",
                                        "Celu",
                                        "ThresholdedRelu",
                                        "Reciprocal",
                                        "Sign",
                                        "Sin",
                                        "Cos",
                                        "Dropout",
                                        "Not",
                                        "QuantizeLinear",
                                        "DequantizeLinear"};
constexpr std::array<Name, 16> kBroadcast = {"Add",  "Sub", "Mul",  "Div",   "Pow",   "Min",
                                             "Max",  "Sum", "Mean", "Where", "Equal", "Greater",
                                             "Less", "And", "Or",   "PRelu"};
constexpr std::array<Name, 10> kReduce = {"ReduceMean",   "ReduceSum",      "ReduceMax", "ReduceMin",
                                          "ReduceProd",   "ReduceL1",       "ReduceL2",  "ReduceSumSquare",
                                          "ReduceLogSum", "ReduceLogSumExp"};

Shape broadcast(const Call& call) {
  Dims out;
  for (std::size_t i = 0; i < call.op.inputs.size(); ++i) {
    const Dims* x = shape(call, i);
    if (!x) return std::nullopt;
    if (x->size() > out.size()) out.insert(out.begin(), x->size() - out.size(), 1);
    for (std::size_t d = 0; d < x->size(); ++d) {
      std::int64_t& wide = out[out.size() - x->size() + d];
      if (wide == 1) wide = (*x)[d];
    }
  }
  return out;
}

Shape gemm(const Call& call) {
  const Dims* const a = shape(call, 0);
  const Dims* const b = shape(call, 1);
  if (!a || !b || a->size() != 2 || b->size() != 2) return std::nullopt;
  const bool turn_a = call.attributes.number("transA", 0) != 0;
  const bool turn_b = call.attributes.number("transB", 0) != 0;
  return Dims{(*a)[turn_a ? 1 : 0], (*b)[turn_b ? 0 : 1]};
}

Shape matrix_product(const Call& call) {
  const Dims* const a = shape(call, 0);
  const Dims* const b = shape(call, call.op.type == "QLinearMatMul" ? 3 : 1);
  if (!a || !b || a->size() < 2 || b->size() < 2) return std::nullopt;
  const Dims& longer = a->size() >= b->size() ? *a : *b;
  const Dims& shorter = a->size() >= b->size() ? *b : *a;
  Dims out = longer;
  for (std::size_t d = 0; d + 2 < shorter.size(); ++d) {
    std::int64_t& wide = out[longer.size() - shorter.size() + d];
    wide = std::max(wide, shorter[d]);
  }
  out[out.size() - 2] = (*a)[a->size() - 2];
  out.back() = b->back();
  return out;
}

Shape reduce(const Call& call) {
  const Dims* const x = shape(call, 0);
  if (!x) return std::nullopt;
  const auto axes = given(call, "axes", 1);
  if (!axes && call.op.inputs.size() > 1 && !call.op.inputs[1].empty()) return std::nullopt;
  std::set<std::size_t> gone;
  for (std::size_t d = 0; !axes && d < x->size(); ++d) gone.insert(d);
  for (const std::int64_t axis : axes.value_or(Dims{}))
    if (const auto d = axis_of(axis, x->size())) gone.insert(*d);
  const bool keep = call.attributes.number("keepdims", 1) != 0;
  Dims out;
  for (std::size_t d = 0; d < x->size(); ++d) {
    if (!gone.contains(d)) out.push_back((*x)[d]);
    if (gone.contains(d) && keep) out.push_back(1);
  }
  return out;
}

Shape constant(const Call& call) {
  if (const Bytes tensor = call.attributes.tensor("value"); !tensor.empty()) return tensor_dims(tensor);
  for (const Bytes list : {"value_ints", "value_floats"})
    if (const auto numbers = call.attributes.numbers(list))
      return Dims{static_cast<std::int64_t>(numbers->size())};
  return call.attributes.numbers("value_int") || call.attributes.numbers("value_float") ? Shape(Dims{})
                                                                                        : std::nullopt;
}

Shape of_that_shape(const Call& call) { return given(call, "", 0); }

Shape rank_of(const Call& call) {
  const Dims* const x = shape(call, 0);
  return x ? Shape(Dims{static_cast<std::int64_t>(x->size())}) : std::nullopt;
}

bool is_one_of(std::span<const Name> names, Bytes type) {
  return std::find(names.begin(), names.end(), type) != names.end();
}

Rule rule_of(Bytes type) {
  constexpr std::array<std::pair<Name, Rule>, 7> kRules = {{{"Gemm", gemm},
                                                            {"MatMul", matrix_product},
                                                            {"MatMulInteger", matrix_product},
                                                            {"QLinearMatMul", matrix_product},
                                                            {"Constant", constant},
                                                            {"ConstantOfShape", of_that_shape},
                                                            {"Shape", rank_of}}};
  if (is_one_of(kSame, type)) return first_input_shape;
  if (is_one_of(kBroadcast, type)) return broadcast;
  if (is_one_of(kReduce, type)) return reduce;
  for (const Rule rule : {window_rule(type), moving_rule(type)})
    if (rule) return rule;
  return find_rule(kRules, type);
}

}  // namespace

std::vector<Dims> output_shapes(const Call& call) {
  if (!call.op.domain.empty()) return {};
  std::vector<Dims> out;
  if (call.op.type == "Split") {
    out = split(call);
  } else if (const Rule rule = rule_of(call.op.type)) {
    if (auto one = rule(call)) out.push_back(std::move(*one));
  }
  return std::all_of(out.begin(), out.end(), sane) ? out : std::vector<Dims>();
}

}  // namespace sluice::onnx
