// MaxPool, AveragePool and the global pools.
#include "backends/gpu/ops/lowering.h"
#include "backends/gpu/ops/window.h"

namespace sluice::gpu {
namespace {

constexpr std::int32_t kMaximum = 0;
constexpr std::int32_t kMeanInside = 1;
constexpr std::int32_t kMeanPadded = 2;

std::int32_t kind_of(const Node& node) {
  if (node.op == "MaxPool" || node.op == "GlobalMaxPool") return kMaximum;
  return node.integer("count_include_pad", 0) != 0 ? kMeanPadded : kMeanInside;
}

// With ceil_mode ONNX's inferred shape may have a window that starts behind the input and its first padding;
// ONNX Runtime drops it when it computes.
constexpr const char* kCountedDifferently =
    "rounds its size up to a window behind the input, which ONNX and ONNX Runtime count differently";

bool last_windows_start_inside(const Graph& graph, const Node& node) {
  if (node.integer("ceil_mode", 0) == 0) return true;
  const Dims& x = graph.input(node, 0).dims;
  const Window w = window_of(node, node.integers("kernel_shape", {}), x, graph.output(node).dims);
  for (std::size_t axis = 0; axis < 3; ++axis)
    if ((w.out[axis] - 1) * w.stride[axis] >= w.in[axis] + w.begin[axis]) return false;
  return true;
}

}  // namespace

std::string check_pool(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  if (x.dims.size() < 3 || x.dims.size() > 5) return "has 0 or more than 3 spatial dimensions";
  if (node.integers("kernel_shape", {}).size() != x.dims.size() - 2) return "has no kernel_shape";
  if (node.outputs.size() > 1 && node.outputs[1] != kNone) return "gives indices too";
  return last_windows_start_inside(graph, node) ? "" : kCountedDifferently;
}

std::string check_global_pool(const Graph& graph, const Node& node) {
  return graph.input(node, 0).dims.size() < 3 ? "has no spatial dimension" : "";
}

Status lower_pool(Builder& builder, const Node& node) {
  const Value& x = builder.graph().input(node, 0);
  const Value& y = builder.graph().output(node);
  const Window w = window_of(node, node.integers("kernel_shape", {}), x.dims, y.dims);
  const std::int32_t kind = kind_of(node);
  if (x.dims.size() <= 4) {
    const Planes planes = planes_of(x.dims);
    const SlotId from = builder.packed(node.inputs[0]);
    std::vector<Argument> arguments = {Reads{from}, Writes{builder.make_packed(node.outputs[0])},
                                       narrow(planes.n * planes.groups())};
    for (const std::int64_t size :
         {w.in[1], w.in[2], w.out[1], w.out[2], w.kernel[1], w.kernel[2], w.stride[1], w.stride[2],
          w.begin[1], w.begin[2], w.dilation[1], w.dilation[2]})
      arguments.emplace_back(narrow(size));
    arguments.insert(arguments.end(), {kind, narrow(w.in[1] + w.end[1]), narrow(w.in[2] + w.end[2])});
    builder.launch("pool", "pool", std::move(arguments),
                   {(w.out[2] + 3) / 4 * w.out[1], planes.n * planes.groups()});
    return {};
  }
  std::vector<std::int32_t> geometry = {0, 0, 0};
  for (const auto* sizes : {&w.in, &w.out, &w.kernel, &w.stride, &w.begin, &w.dilation})
    for (const std::int64_t size : *sizes) geometry.push_back(narrow(size));
  const SlotId from = builder.plain(node.inputs[0]);
  builder.launch("plain", "pool_plain",
                 {Reads{from}, Writes{builder.make_plain(node.outputs[0])}, Reads{builder.integers(geometry)},
                  narrow(y.count()), kind, narrow(w.in[0] + w.end[0]), narrow(w.in[1] + w.end[1]),
                  narrow(w.in[2] + w.end[2])},
                 {y.count()});
  return {};
}

Status lower_global_pool(Builder& builder, const Node& node) {
  const Planes planes = planes_of(builder.graph().input(node, 0).dims);
  const SlotId from = builder.packed(node.inputs[0]);
  const std::int64_t count = planes.n * planes.groups();
  builder.launch("pool", "pool_global",
                 {Reads{from}, Writes{builder.make_packed(node.outputs[0])}, narrow(count),
                  narrow(planes.pixels), kind_of(node)},
                 {count});
  return {};
}

}  // namespace sluice::gpu
