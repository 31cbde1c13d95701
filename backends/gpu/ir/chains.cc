#include "backends/gpu/ir/chains.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "backends/gpu/kernels/opcodes.h"

namespace sluice::gpu {
namespace {

struct Unary {
  const char* name;
  int op;
  const char* a = nullptr;  // attribute of the parameter
  float a_default = 0;
  const char* b = nullptr;
  float b_default = 0;
};

constexpr std::array kUnary = {
    Unary{"Relu", OP_RELU},
    Unary{"LeakyRelu", OP_LEAKY, "alpha", 0.01F},
    Unary{"Elu", OP_ELU, "alpha", 1.0F},
    Unary{"Sigmoid", OP_SIGMOID},
    Unary{"HardSigmoid", OP_HARD_SIGMOID, "alpha", 0.2F, "beta", 0.5F},
    Unary{"HardSwish", OP_HARD_SWISH, nullptr, 1.0F / 6.0F, nullptr, 0.5F},
    Unary{"Tanh", OP_TANH},
    Unary{"Erf", OP_ERF},
    Unary{"Exp", OP_EXP},
    Unary{"Log", OP_LOG},
    Unary{"Sqrt", OP_SQRT},
    Unary{"Abs", OP_ABS},
    Unary{"Neg", OP_NEG},
    Unary{"Reciprocal", OP_RECIPROCAL},
    Unary{"Floor", OP_FLOOR},
    Unary{"Ceil", OP_CEIL},
    Unary{"Round", OP_ROUND},
};

struct Binary {
  const char* name;
  int op;
  int swapped;  // when the chain's value is the right operand; OP_NONE: it cannot be
};

constexpr std::array kBinary = {
    Binary{"Add", OP_ADD, OP_ADD},  Binary{"Sub", OP_SUB, OP_RSUB},     Binary{"Mul", OP_MUL, OP_MUL},
    Binary{"Div", OP_DIV, OP_RDIV}, Binary{"Pow", OP_POW, OP_RPOW},     Binary{"Min", OP_MIN, OP_MIN},
    Binary{"Max", OP_MAX, OP_MAX},  Binary{"PRelu", OP_PRELU, OP_NONE}, Binary{"Sum", OP_ADD, OP_ADD},
};

void become_chain(Node& node, ValueId head, std::vector<ChainStep> steps) {
  node.op = "Chain";
  node.inputs = {head};
  node.steps = std::move(steps);
  node.attributes.clear();
}

// A scalar constant becomes the step's parameter, anything else its operand.
ChainStep two_sided(const Graph& graph, int op, ValueId operand) {
  const Value& value = graph.value(operand);
  ChainStep step{.op = op};
  if (value.constant() && value.count() == 1)
    if (const auto element = constant_floats(value)) {
      step.a = (*element)[0];
      return step;
    }
  step.operand = operand;
  return step;
}

bool covers(const Value& value, const Dims& out) {
  return !value.constant() && product(value.dims) == product(out) && cycle_of(value.dims, out).has_value();
}

bool make_unary(Graph&, Node& node) {
  if (node.op == "Gelu") {
    const bool tanh = node.text("approximate", "none") == "tanh";
    become_chain(node, node.inputs[0], {{.op = tanh ? OP_GELU_TANH : OP_GELU}});
    return true;
  }
  const auto found = std::ranges::find_if(kUnary, [&](const Unary& u) { return node.op == u.name; });
  if (found == kUnary.end()) return false;
  ChainStep step{.op = found->op};
  step.a = found->a ? node.number(found->a, found->a_default) : found->a_default;
  step.b = found->b ? node.number(found->b, found->b_default) : found->b_default;
  become_chain(node, node.inputs[0], {step});
  return true;
}

bool make_clip(Graph& graph, Node& node) {
  if (node.op != "Clip") return false;
  float low = node.number("min", -std::numeric_limits<float>::max());
  float high = node.number("max", std::numeric_limits<float>::max());
  std::vector<ChainStep> limits;
  if (node.has_input(1)) limits.push_back(two_sided(graph, OP_MAX, node.inputs[1]));
  if (node.has_input(2)) limits.push_back(two_sided(graph, OP_MIN, node.inputs[2]));
  const bool plain = std::ranges::all_of(limits, [](const ChainStep& step) { return step.operand == kNone; });
  if (!plain) {
    become_chain(node, node.inputs[0], std::move(limits));
    return true;
  }
  for (const ChainStep& step : limits) (step.op == OP_MAX ? low : high) = step.a;
  become_chain(node, node.inputs[0], {{.op = OP_CLIP, .a = low, .b = high}});
  return true;
}

bool make_binary(Graph& graph, Node& node) {
  const auto found = std::ranges::find_if(kBinary, [&](const Binary& b) { return node.op == b.name; });
  if (found == kBinary.end()) return false;
  const Dims& out = graph.output(node).dims;
  if (node.inputs.size() == 1) {
    become_chain(node, node.inputs[0], {{.op = OP_AFFINE, .a = 1}});
    return true;
  }
  for (std::size_t head = 0; head < node.inputs.size(); ++head) {
    if (!covers(graph.value(node.inputs[head]), out) || (head > 0 && found->swapped == OP_NONE)) continue;
    std::vector<ChainStep> steps;
    bool fits = node.inputs.size() - 1 <= kMostOperands;
    for (std::size_t i = 0; i < node.inputs.size() && fits; ++i) {
      if (i == head) continue;
      fits = cycle_of(graph.value(node.inputs[i]).dims, out).has_value();
      steps.push_back(two_sided(graph, i < head ? found->swapped : found->op, node.inputs[i]));
    }
    if (!fits) continue;
    become_chain(node, node.inputs[head], std::move(steps));
    return true;
  }
  return false;
}

// A vector along `axis` with the trailing ones that broadcasting wants.
Dims along(std::int64_t count, std::size_t axis, std::size_t rank) {
  Dims dims(rank - axis, 1);
  dims[0] = count;
  return dims;
}

// `id` (one dimension, along `axis` of `rank`) as an operand: a constant is copied, a value is renamed by a
// node that goes into `before`.
ValueId as_operand(Graph& graph, ValueId id, std::size_t axis, std::size_t rank, std::vector<Node>& before) {
  const Value value = graph.value(id);
  if (value.count() == 1) return id;  // the same for all, whatever the axis
  const Dims dims = along(value.count(), axis, rank);
  if (const auto elements = constant_floats(value))
    return add_constant(graph, value.name + "'", dims, *elements);
  Value renamed = value;
  renamed.dims = dims;
  graph.values.push_back(renamed);
  const auto out = static_cast<ValueId>(graph.values.size()) - 1;
  Node alias;
  alias.op = "Reshape";
  alias.name = value.name + "'";
  alias.inputs = {id};
  alias.outputs = {out};
  before.push_back(std::move(alias));
  return out;
}

ValueId new_value_like(Graph& graph, ValueId id) {
  Value value = graph.value(id);
  value.data = nullptr;
  value.owned.reset();
  value.dtype = DType::kFloat32;
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

// y = (x - mean) / sqrt(variance + epsilon) * scale + bias
bool make_batch_norm(Graph& graph, Node& node, std::vector<Node>& before) {
  if (node.op != "BatchNormalization") return false;
  const std::size_t rank = graph.input(node, 0).dims.size();
  const float epsilon = node.number("epsilon", 1e-5F);
  std::array<std::optional<std::vector<float>>, 4> constants;
  for (std::size_t i = 0; i < 4; ++i) constants[i] = constant_floats(graph.input(node, i + 1));
  if (std::ranges::all_of(constants, [](const auto& c) { return c.has_value(); })) {
    std::vector<float> factor = *constants[0];
    std::vector<float> addend = *constants[1];
    for (std::size_t c = 0; c < factor.size(); ++c) {
      factor[c] /= std::sqrt((*constants[3])[c] + epsilon);
      addend[c] -= (*constants[2])[c] * factor[c];
    }
    const Dims dims = along(static_cast<std::int64_t>(factor.size()), 1, rank);
    const ValueId f = add_constant(graph, node.name + ".factor", dims, factor);
    const ValueId a = add_constant(graph, node.name + ".addend", dims, addend);
    become_chain(node, node.inputs[0], {{.op = OP_MUL, .operand = f}, {.op = OP_ADD, .operand = a}});
    return true;
  }
  std::array<ValueId, 4> operands{};
  for (std::size_t i = 0; i < 4; ++i) operands[i] = as_operand(graph, node.inputs[i + 1], 1, rank, before);
  Node deviation;
  deviation.name = node.name + ".deviation";
  deviation.outputs = {new_value_like(graph, operands[3])};
  become_chain(deviation, operands[3], {{.op = OP_AFFINE, .a = 1, .b = epsilon}, {.op = OP_SQRT}});
  Node centred;
  centred.name = node.name + ".centred";
  centred.outputs = {new_value_like(graph, node.inputs[0])};
  become_chain(centred, node.inputs[0],
               {{.op = OP_SUB, .operand = operands[2]}, {.op = OP_DIV, .operand = deviation.outputs[0]}});
  become_chain(node, centred.outputs[0],
               {{.op = OP_MUL, .operand = operands[0]}, {.op = OP_ADD, .operand = operands[1]}});
  before.push_back(std::move(deviation));
  before.push_back(std::move(centred));
  return true;
}

std::pair<float, float> limits_of(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return {-128, 127};
    case DType::kUint16:
      return {0, 65535};
    case DType::kInt16:
      return {-32768, 32767};
    default:
      return {0, 255};
  }
}

bool make_quantize(Graph& graph, Node& node, std::vector<Node>& before) {
  if (node.op != "QuantizeLinear" && node.op != "DequantizeLinear") return false;
  const std::size_t rank = graph.input(node, 0).dims.size();
  const std::size_t axis = axis_of(node.integer("axis", 1), rank);
  const auto operand = [&](std::size_t i) { return as_operand(graph, node.inputs[i], axis, rank, before); };
  std::vector<ChainStep> steps;
  const ValueId head = node.inputs[0];
  if (node.op == "QuantizeLinear") {
    const auto [low, high] = limits_of(graph.output(node).dtype);
    steps = {two_sided(graph, OP_DIV, operand(1)), {.op = OP_ROUND}};
    if (node.has_input(2)) steps.push_back(two_sided(graph, OP_ADD, operand(2)));
    steps.push_back({.op = OP_CLIP, .a = low, .b = high});
  } else {
    if (node.has_input(2)) steps.push_back(two_sided(graph, OP_SUB, operand(2)));
    steps.push_back(two_sided(graph, OP_MUL, operand(1)));
  }
  become_chain(node, head, std::move(steps));
  return true;
}

// Of what an integer is cast to: out of its range only the lower bits count.
bool holds(DType to, DType from) {
  if (from == DType::kBool || from == to) return true;
  if (!is_integer(from)) return false;
  const auto [low, high] = limits_of(to);
  const auto [least, most] = limits_of(from);
  return low <= least && most <= high;
}

bool make_cast(Graph& graph, Node& node) {
  if (node.op != "Cast") return false;
  const DType to = graph.output(node).dtype;
  const DType from = graph.input(node, 0).dtype;
  ChainStep step{.op = OP_AFFINE, .a = 1};
  if (to == DType::kBool)
    step.op = OP_NONZERO;
  else if (to == DType::kFloat16 && from != DType::kFloat16)
    step.op = OP_HALF;
  else if (to != DType::kFloat32 && to != DType::kFloat16)
    step.op = OP_TRUNC;
  std::vector<ChainStep> steps = {step};
  if (step.op == OP_TRUNC && !holds(to, from)) {
    const auto [low, high] = limits_of(to);
    steps.push_back({.op = OP_WRAP, .a = low, .b = high - low + 1});
  }
  become_chain(node, node.inputs[0], std::move(steps));
  return true;
}

}  // namespace

std::optional<Cycle> cycle_of(const Dims& operand, const Dims& out) {
  if (operand.size() > out.size()) {  // only leading ones may be too many
    const std::size_t extra = operand.size() - out.size();
    if (product(std::span(operand).first(extra)) != 1) return std::nullopt;
    return cycle_of(Dims(operand.begin() + static_cast<std::ptrdiff_t>(extra), operand.end()), out);
  }
  Dims aligned(out.size() - operand.size(), 1);
  aligned.insert(aligned.end(), operand.begin(), operand.end());
  Cycle cycle;
  enum { kBehind, kIn, kBefore } place = kBehind;
  for (std::size_t i = out.size(); i-- > 0;) {
    if (out[i] == 1 && aligned[i] == 1) continue;
    if (aligned[i] == out[i]) {
      if (place == kBefore) return std::nullopt;
      place = kIn;
      cycle.count *= out[i];
    } else if (aligned[i] == 1) {
      if (place == kBehind) cycle.inner *= out[i];
      if (place == kIn) place = kBefore;
    } else {
      return std::nullopt;
    }
  }
  return cycle;
}

void make_chains(Graph& graph) {
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes) {
    std::vector<Node> before;
    static_cast<void>(make_unary(graph, node) || make_clip(graph, node) || make_binary(graph, node) ||
                      make_batch_norm(graph, node, before) || make_quantize(graph, node, before) ||
                      make_cast(graph, node));
    for (Node& extra : before) graph.nodes.push_back(std::move(extra));
    graph.nodes.push_back(std::move(node));
  }
}

}  // namespace sluice::gpu
