// Softmax, reductions and normalisations.
#include <algorithm>

#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

// An empty list of axes is as good as none.
bool names_axes(const Graph& graph, const Node& node) {
  return node.has_input(1) && product(graph.input(node, 1).dims) != 0;
}

// Which axes a reduction takes away.
std::vector<bool> reduced_axes(const Graph& graph, const Node& node) {
  const std::size_t rank = graph.input(node, 0).dims.size();
  std::vector<std::int64_t> axes = node.integers("axes", {});
  if (names_axes(graph, node))
    axes = constant_integers(graph.input(node, 1)).value_or(std::vector<std::int64_t>{});
  std::vector<bool> reduced(rank, axes.empty() && node.integer("noop_with_empty_axes", 0) == 0);
  for (const std::int64_t axis : axes) reduced[axis_of(axis, rank)] = true;
  return reduced;
}

// Neighbouring axes of one kind become one; leading ones of size 1 fill up to 4.
struct Axes {
  Dims dims, strides;
  void add(std::int64_t dim, std::int64_t stride, bool joins) {
    if (joins && !dims.empty()) {
      dims.back() *= dim;
      strides.back() = stride;
    } else {
      dims.push_back(dim);
      strides.push_back(stride);
    }
  }
  void append_to(std::vector<std::int32_t>& words) const {
    for (const Dims* values : {&dims, &strides}) {
      words.insert(words.end(), 4 - values->size(), values == &dims ? 1 : 0);
      for (const std::int64_t value : *values) words.push_back(narrow(value));
    }
  }
};

bool only_pixels(const std::vector<bool>& reduced) {
  for (std::size_t i = 0; i < reduced.size(); ++i)
    if (reduced[i] != (i >= 2)) return false;
  return reduced.size() >= 3;
}

std::int32_t code_of(const std::string& op) {
  if (op == "ReduceSum") return 0;
  if (op == "ReduceMean") return 1;
  return op == "ReduceMax" ? 2 : 3;
}

}  // namespace

std::string check_softmax(const Graph& graph, const Node& node) {
  return graph.input(node, 0).dims.empty() ? "works on a scalar" : "";
}

Status lower_softmax(Builder& builder, const Node& node) {
  const Dims& x = builder.graph().input(node, 0).dims;
  const bool old = node.since < 13;  // flattened to two dimensions
  const std::size_t axis = axis_of(node.integer("axis", old ? 1 : -1), x.size());
  const std::int64_t inner = old ? 1 : product(std::span(x).subspan(axis + 1));
  const std::int64_t length = old ? product(std::span(x).subspan(axis)) : x[axis];
  const std::int64_t rows = product(x) / length;
  const std::int32_t logarithm = node.op == "LogSoftmax" ? 1 : 0;
  const SlotId from = builder.plain(node.inputs[0]);
  const SlotId to = builder.make_plain(node.outputs[0]);
  if (inner == 1 && length % 4 == 0)
    builder.launch("rows", "softmax4", {Reads{from}, Writes{to}, narrow(rows), narrow(length / 4), logarithm},
                   {rows});
  else
    builder.launch("rows", "softmax",
                   {Reads{from}, Writes{to}, narrow(rows), narrow(length), narrow(inner), logarithm}, {rows});
  return {};
}

std::string check_reduce(const Graph& graph, const Node& node) {
  if (names_axes(graph, node) && !constant_integers(graph.input(node, 1)))
    return "has axes that only the run knows";
  return {};
}

Status lower_reduce(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& x = graph.input(node, 0).dims;
  const std::vector<bool> reduced = reduced_axes(graph, node);
  const bool pooled = node.op == "ReduceMean" || node.op == "ReduceMax";
  if (pooled && only_pixels(reduced) && graph.output(node).dims.size() == x.size() &&
      builder.has_packed(node.inputs[0])) {
    const Planes planes = planes_of(x);
    const SlotId from = builder.packed(node.inputs[0]);
    builder.launch(
        "pool", "pool_global",
        {Reads{from}, Writes{builder.make_packed(node.outputs[0])}, narrow(planes.n * planes.groups()),
         narrow(planes.pixels), node.op == "ReduceMean" ? 1 : 0},
        {planes.n * planes.groups()});
    return {};
  }
  const Dims strides = dense_strides(x);
  Axes kept;
  Axes gone;
  int previous = -1;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (x[i] == 1) continue;
    (reduced[i] ? gone : kept).add(x[i], strides[i], previous == (reduced[i] ? 1 : 0));
    previous = reduced[i] ? 1 : 0;
  }
  std::vector<std::int32_t> words;
  kept.append_to(words);
  gone.append_to(words);
  const std::int64_t count = graph.output(node).count();
  const SlotId from = builder.plain(node.inputs[0]);
  builder.launch("rows", "reduce",
                 {Reads{from}, Writes{builder.make_plain(node.outputs[0])}, Reads{builder.integers(words)},
                  narrow(count), code_of(node.op)},
                 {count});
  return {};
}

std::string check_layer_norm(const Graph& graph, const Node& node) {
  const Dims& x = graph.input(node, 0).dims;
  const std::size_t axis = axis_of(node.integer("axis", -1), x.size());
  const std::int64_t length = product(std::span(x).subspan(axis));
  for (std::size_t i = 1; i < 3; ++i) {
    if (i == 2 && !node.has_input(2)) continue;
    if (!node.has_input(i) || !graph.input(node, i).known || graph.input(node, i).count() != length)
      return "has a scale or bias that broadcasts within the row";
  }
  return {};
}

Status lower_layer_norm(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& x = graph.input(node, 0).dims;
  const std::size_t axis = axis_of(node.integer("axis", -1), x.size());
  const std::int64_t length = product(std::span(x).subspan(axis));
  const std::int64_t rows = product(x) / length;
  const auto wanted = [&](std::size_t i) { return i < node.outputs.size() && node.outputs[i] != kNone; };
  const bool statistics = wanted(1) || wanted(2);
  const SlotId from = builder.plain(node.inputs[0]);
  const SlotId scale = builder.plain(node.inputs[1]);
  const SlotId bias = node.has_input(2) ? builder.plain(node.inputs[2]) : builder.nothing();
  const SlotId to = builder.make_plain(node.outputs[0]);
  const auto extra = [&](std::size_t i) {
    if (!statistics) return Argument{Reads{builder.nothing()}};
    return Argument{Writes{wanted(i) ? builder.make_plain(node.outputs[i]) : builder.scratch_like(to, rows)}};
  };
  builder.launch(
      "rows", "normalize_rows",
      {Reads{from}, Reads{scale}, Reads{bias}, Writes{to}, extra(1), extra(2), narrow(rows), narrow(length),
       node.number("epsilon", 1e-5F), 1, 1, node.has_input(2) ? 1 : 0, statistics ? 1 : 0},
      {rows});
  return {};
}

std::string check_instance_norm(const Graph& graph, const Node& node) {
  if (graph.input(node, 0).dims.size() < 3) return "has no spatial dimension";
  for (std::size_t i = 1; i < 3; ++i)
    if (!node.has_input(i) || !graph.input(node, i).known) return "has parameters whose shape is not fixed";
  return {};
}

Status lower_instance_norm(Builder& builder, const Node& node) {
  const Planes planes = planes_of(builder.graph().input(node, 0).dims);
  const SlotId from = builder.plain(node.inputs[0]);
  const SlotId scale = builder.plain(node.inputs[1]);
  const SlotId bias = builder.plain(node.inputs[2]);
  const std::int64_t rows = planes.n * planes.channels;
  builder.launch("rows", "normalize_rows",
                 {Reads{from}, Reads{scale}, Reads{bias}, Writes{builder.make_plain(node.outputs[0])},
                  Reads{builder.nothing()}, Reads{builder.nothing()}, narrow(rows), narrow(planes.pixels),
                  node.number("epsilon", 1e-5F), 0, narrow(planes.channels), 1, 0},
                 {rows});
  return {};
}

}  // namespace sluice::gpu
