// MatMul and Gemm.
#include <algorithm>

#include "backends/gpu/kernels/opcodes.h"
#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

// One matrix product per batch entry; strides in elements.
struct Product {
  std::int64_t m = 1, n = 1, k = 1;
  std::int64_t a_row = 0, a_column = 1;                // strides of A along m and k
  std::int64_t b_row = 0, b_column = 1, b_matrix = 0;  // strides of B along k, n and its matrices
  std::int64_t b_count = 1;                            // matrices of B
  std::vector<std::int32_t> a_offsets, b_indices;      // per batch entry: elements; which matrix
  float b_factor = 1;  // B is multiplied by it while it is packed (constants only)
};

Product product_of(const Dims& a, const Dims& b, const Dims& y) {
  Product p;
  const Dims a2 = a.size() == 1 ? Dims{1, a[0]} : a;
  const Dims b2 = b.size() == 1 ? Dims{b[0], 1} : b;
  p.m = a2[a2.size() - 2];
  p.k = a2.back();
  p.n = b2.back();
  p.a_row = p.k;
  p.b_row = p.n;
  p.b_matrix = p.k * p.n;
  const Dims a_batch(a2.begin(), a2.end() - 2);
  const Dims b_batch(b2.begin(), b2.end() - 2);
  p.b_count = product(b_batch);
  const std::size_t rank = std::max(a_batch.size(), b_batch.size());
  const std::int64_t batches = product(y) / (p.m * p.n);
  for (std::int64_t z = 0; z < batches; ++z) {
    std::int64_t rest = z;
    std::int64_t a_at = 0;
    std::int64_t b_at = 0;
    std::int64_t a_stride = 1;
    std::int64_t b_stride = 1;
    for (std::size_t i = 1; i <= rank; ++i) {
      const std::int64_t a_size = i <= a_batch.size() ? a_batch[a_batch.size() - i] : 1;
      const std::int64_t b_size = i <= b_batch.size() ? b_batch[b_batch.size() - i] : 1;
      const std::int64_t size = std::max(a_size, b_size);
      if (a_size > 1) a_at += rest % size * a_stride;
      if (b_size > 1) b_at += rest % size * b_stride;
      rest /= size;
      a_stride *= a_size;
      b_stride *= b_size;
    }
    p.a_offsets.push_back(narrow(a_at * p.m * p.k));
    p.b_indices.push_back(narrow(b_at));
  }
  return p;
}

// [matrix][group of lanes][k][lanes]
SlotId packed_constant(Builder& builder, const Value& b, const Product& p) {
  const std::vector<float> elements = constant_floats(b).value_or(std::vector<float>{});
  const std::int64_t lanes = builder.lanes();
  const std::int64_t groups = (p.n + lanes - 1) / lanes;
  std::vector<float> out(static_cast<std::size_t>(p.b_count * groups * p.k * lanes), 0.0F);
  for (std::int64_t z = 0; z < p.b_count; ++z)
    for (std::int64_t k = 0; k < p.k; ++k)
      for (std::int64_t n = 0; n < p.n; ++n)
        out[static_cast<std::size_t>(((z * groups + n / lanes) * p.k + k) * lanes + n % lanes)] =
            p.b_factor * elements[static_cast<std::size_t>(z * p.b_matrix + k * p.b_row + n * p.b_column)];
  return builder.floats(out);
}

SlotId packed_value(Builder& builder, ValueId b, const Product& p) {
  const std::int64_t lanes = builder.lanes();
  const std::int64_t count = p.b_count * ((p.n + lanes - 1) / lanes) * p.k * lanes;
  const SlotId from = builder.plain(b);
  const SlotId to = builder.scratch(count);
  builder.launch("matmul", "pack",
                 {Reads{from}, Writes{to}, narrow(p.b_count), narrow(p.k), narrow(p.n), narrow(p.b_matrix),
                  narrow(p.b_row), narrow(p.b_column)},
                 {count});
  return to;
}

struct Finish {
  std::vector<float> bias;  // per column; empty: none
  ChainStep act;
};

void launch_product(Builder& builder, ValueId a, ValueId b, SlotId y, const Product& p,
                    const Finish& finish) {
  const Value& right = builder.graph().value(b);
  const SlotId packed = right.constant() ? packed_constant(builder, right, p) : packed_value(builder, b, p);
  const SlotId left = builder.plain(a);
  const SlotId bias =
      finish.bias.empty() ? builder.nothing() : builder.floats(pad_to(finish.bias, builder.lanes()));
  const std::int64_t groups = (p.n + builder.lanes() - 1) / builder.lanes();
  builder.launch(
      "matmul", "matmul",
      {Reads{left}, Reads{packed}, Reads{bias}, Writes{y}, Reads{builder.integers(p.a_offsets)},
       Reads{builder.integers(p.b_indices)}, narrow(p.m), narrow(p.n), narrow(p.k), narrow(p.a_row),
       narrow(p.a_column), finish.bias.empty() ? 0 : 1, finish.act.op, finish.act.a, finish.act.b},
      {groups, (p.m + 3) / 4, static_cast<std::int64_t>(p.a_offsets.size())});
}

std::string check_sides(const Graph& graph, const Node& node) {
  for (std::size_t i = 0; i < 2; ++i) {
    if (!node.has_input(i) || !graph.input(node, i).known) return "has a side whose shape is not fixed";
    const DType dtype = graph.input(node, i).dtype;
    if (dtype != DType::kFloat32 && dtype != DType::kFloat16)
      return "works on " + std::string(name_of(dtype));
    if (graph.input(node, i).dims.empty()) return "has a scalar side";
  }
  return {};
}

// Columns' constants: C of Gemm, or an Add that fusion put behind a MatMul.
bool is_column_vector(const Value& value, std::int64_t n) {
  return value.constant() && (value.count() == 1 || (value.count() == n && value.dims.back() == n));
}

std::vector<float> columns(const Value& value, std::int64_t n, float factor) {
  std::vector<float> out = constant_floats(value).value_or(std::vector<float>{});
  if (out.size() == 1) out.resize(static_cast<std::size_t>(n), out[0]);
  for (float& element : out) element *= factor;
  return out;
}

Finish finish_of(const Graph& graph, const Node& node, std::int64_t n) {
  Finish finish;
  for (const ChainStep& step : node.steps) {
    if (step.op == OP_ADD && step.operand != kNone) {
      const std::vector<float> more = columns(graph.value(step.operand), n, 1);
      if (finish.bias.empty()) finish.bias.assign(static_cast<std::size_t>(n), 0.0F);
      for (std::size_t i = 0; i < more.size(); ++i) finish.bias[i] += more[i];
    } else {
      finish.act = step;
    }
  }
  return finish;
}

}  // namespace

std::string check_matmul(const Graph& graph, const Node& node) { return check_sides(graph, node); }

std::string check_gemm(const Graph& graph, const Node& node) {
  if (std::string why = check_sides(graph, node); !why.empty()) return why;
  if (node.has_input(2) && !graph.input(node, 2).known) return "has an addend whose shape is not fixed";
  return {};
}

Status lower_matmul(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Product p = product_of(graph.input(node, 0).dims, graph.input(node, 1).dims, graph.output(node).dims);
  const Finish finish = finish_of(graph, node, p.n);
  // Made before the launch that writes it: the order of slots does not matter.
  launch_product(builder, node.inputs[0], node.inputs[1], builder.make_plain(node.outputs[0]), p, finish);
  return {};
}

Status lower_gemm(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& a = graph.input(node, 0).dims;
  const Dims& b = graph.input(node, 1).dims;
  const Dims& y = graph.output(node).dims;
  Product p;
  p.m = y[0];
  p.n = y[1];
  const bool ta = node.integer("transA", 0) != 0;
  const bool tb = node.integer("transB", 0) != 0;
  p.k = ta ? a[0] : a[1];
  p.a_row = ta ? 1 : p.k;
  p.a_column = ta ? p.m : 1;
  p.b_row = tb ? 1 : p.n;
  p.b_column = tb ? p.k : 1;
  p.b_matrix = b[0] * b[1];
  p.a_offsets = {0};
  p.b_indices = {0};
  p.b_factor = node.number("alpha", 1);
  Finish finish = finish_of(graph, node, p.n);
  if (node.has_input(2)) finish.bias = columns(graph.input(node, 2), p.n, node.number("beta", 1));
  launch_product(builder, node.inputs[0], node.inputs[1], builder.make_plain(node.outputs[0]), p, finish);
  return {};
}

// Declared in ir/simplify.h: what Gemm cannot do in one launch becomes several nodes before lowering.
bool gemm_is_one_launch(const Graph& graph, const Node& node) {
  const bool factor = node.number("alpha", 1) == 1 || graph.input(node, 1).constant();
  return factor && (!node.has_input(2) || is_column_vector(graph.input(node, 2), graph.output(node).dims[1]));
}

}  // namespace sluice::gpu
