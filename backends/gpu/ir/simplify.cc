#include "backends/gpu/ir/simplify.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "backends/gpu/ir/chains.h"
#include "backends/gpu/ir/fuse.h"

namespace sluice::gpu {
namespace {

// A constant with its scale: weights of a quantised model, computed here once.
bool fold_dequantize(Graph& graph, const Node& node) {
  if (node.op != "DequantizeLinear") return false;
  const Value x = graph.input(node, 0);
  auto elements = constant_floats(x);
  const auto scale = constant_floats(graph.input(node, 1));
  if (!elements || !scale) return false;
  std::vector<float> zero(scale->size(), 0.0F);
  if (node.has_input(2)) {
    const auto given = constant_floats(graph.input(node, 2));
    if (!given) return false;
    zero = *given;
  }
  const std::size_t axis = axis_of(node.integer("axis", 1), x.dims.size());
  const std::int64_t inner = scale->size() == 1 ? 1 : product(std::span(x.dims).subspan(axis + 1));
  for (std::size_t i = 0; i < elements->size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(inner) % scale->size();
    (*elements)[i] = ((*elements)[i] - zero[c]) * (*scale)[c];
  }
  Value& y = graph.value(node.outputs[0]);
  auto bytes = std::make_shared<std::vector<std::byte>>(elements->size() * sizeof(float));
  std::ranges::copy(std::as_bytes(std::span(*elements)), bytes->begin());
  y.dtype = DType::kFloat32;
  y.data = bytes->data();
  y.owned = std::move(bytes);
  return true;
}

void fold_constants(Graph& graph) {
  std::erase_if(graph.nodes, [&graph](const Node& node) {
    const ValueId out = node.outputs[0];
    return std::ranges::find(graph.outputs, out) == graph.outputs.end() && fold_dequantize(graph, node);
  });
}

ValueId value_of_shape(Graph& graph, const std::string& name, const Dims& dims) {
  Value value;
  value.name = name;
  value.dims = dims;
  value.known = true;
  graph.values.push_back(std::move(value));
  return static_cast<ValueId>(graph.values.size()) - 1;
}

// alpha A B + beta C where B or C are known only at run time: a product, two scalings, a sum.
void split_gemm(Graph& graph, const Node& node, std::vector<Node>& out) {
  const Dims dims = graph.output(node).dims;
  const auto scaled = [&](ValueId id, float factor, const std::string& what) {
    if (factor == 1) return id;
    const ValueId to = value_of_shape(graph, node.name + what, graph.value(id).dims);
    const ValueId by = add_constant(graph, node.name + what + ".factor", {}, std::span(&factor, 1));
    Node mul;
    mul.op = "Mul";
    mul.name = node.name + what;
    mul.inputs = {id, by};
    mul.outputs = {to};
    out.push_back(std::move(mul));
    return to;
  };
  Node product_only = node;
  product_only.inputs.resize(2);
  product_only.attributes.erase("alpha");
  product_only.attributes.erase("beta");
  const ValueId ab = value_of_shape(graph, node.name + ".product", dims);
  product_only.outputs = {ab};
  out.push_back(std::move(product_only));
  const ValueId left = scaled(ab, node.number("alpha", 1), ".alpha");
  Node sum;
  sum.op = "Add";
  sum.name = node.name + ".sum";
  sum.outputs = node.outputs;
  sum.inputs = {left};
  if (node.has_input(2)) {
    const ValueId right = scaled(node.inputs[2], node.number("beta", 1), ".beta");
    sum.inputs.push_back(right);
  }
  out.push_back(std::move(sum));
}

void split_gemms(Graph& graph) {
  std::vector<Node> nodes = std::move(graph.nodes);
  graph.nodes.clear();
  for (Node& node : nodes) {
    std::vector<Node> parts;
    if (node.op == "Gemm" && !gemm_is_one_launch(graph, node)) split_gemm(graph, node, parts);
    if (parts.empty()) parts.push_back(std::move(node));
    for (Node& part : parts) graph.nodes.push_back(std::move(part));
  }
}

// The node that makes `id`, when it is a `wanted`.
const Node* made_by(const Graph& graph, ValueId id, std::string_view wanted) {
  const auto makes = [id](const Node& node) { return node.outputs[0] == id; };
  const auto found = std::ranges::find_if(graph.nodes, makes);
  return found != graph.nodes.end() && found->op == wanted ? &*found : nullptr;
}

// [n][c]... seen as [n][groups][c / groups]..., these two axes swapped, and seen as [n][c]... again: the
// channels of ShuffleNet. `last` becomes one pass; the two before it go when nobody else reads them.
void take_shuffle(Graph& graph, Node& last) {
  const Node* swap = last.op == "Reshape" ? made_by(graph, last.inputs[0], "Transpose") : nullptr;
  const Node* split = swap ? made_by(graph, swap->inputs[0], "Reshape") : nullptr;
  if (!split) return;
  const Dims& x = graph.input(*split, 0).dims;
  const Dims& apart = graph.output(*split).dims;
  if (x.size() < 3 || apart.size() != x.size() + 1 || graph.output(last).dims != x) return;
  Dims order(apart.size());
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[1], order[2]);
  const bool channels = apart[0] == x[0] && apart[1] * apart[2] == x[1] &&
                        std::equal(x.begin() + 2, x.end(), apart.begin() + 3, apart.end());
  if (!channels || swap->integers("perm", {}) != order) return;
  const ValueId from = split->inputs[0];
  last.op = "ShuffleChannels";
  last.inputs = {from};
  last.attributes["groups"] = apart[1];
}

}  // namespace

void simplify(Graph& graph) {
  fold_constants(graph);
  for (Node& node : graph.nodes) take_shuffle(graph, node);
  split_gemms(graph);
  make_chains(graph);
  fuse(graph);
}

}  // namespace sluice::gpu
