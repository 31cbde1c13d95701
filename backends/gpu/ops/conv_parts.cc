#include "backends/gpu/ops/conv_parts.h"

#include "backends/gpu/kernels/opcodes.h"

namespace sluice::gpu {
namespace {

constexpr std::int64_t kFewItems = 512;  // below it a small GPU rather has more of them than larger ones

bool known_floats(const Value& value) { return value.constant() && value.known; }

}  // namespace

Dims kernel_dims(const Value& weights) { return {weights.dims.begin() + 2, weights.dims.end()}; }

Shape2d shape_of(const Graph& graph, const Node& node, bool transposed) {
  const Value& x = graph.input(node, 0);
  const Value& y = graph.output(node);
  const Dims kernel = kernel_dims(graph.input(node, 1));
  return {x.dims[0], x.dims[1], y.dims[1], node.integer("group", 1),
          transposed ? transposed_window_of(node, kernel, x.dims, y.dims)
                     : window_of(node, kernel, x.dims, y.dims)};
}

bool is_depthwise(const Shape2d& s) { return s.groups == s.ic && s.groups == s.oc && s.groups > 1; }

bool is_point(const Shape2d& s) {
  const Window& w = s.w;
  return w.kernel[1] * w.kernel[2] == 1 && w.stride[1] == 1 && w.stride[2] == 1 && w.begin[1] == 0 &&
         w.begin[2] == 0 && w.end[1] == 0 && w.end[2] == 0;
}

bool packed_kernels_take(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  if (x.dims.size() > 4 || !known_floats(graph.input(node, 1))) return false;
  return !node.has_input(2) || known_floats(graph.input(node, 2));
}

int lanes_for(const Builder& builder, const Shape2d& s) {
  const std::int64_t per_group = s.oc / s.groups;
  if (builder.lanes() == 4) {
    const std::int64_t items = s.n * ((s.pixels() + 3) / 4) * ((s.oc + 7) / 8);
    return (s.groups == 1 ? per_group > 4 : per_group >= 8) && items >= kFewItems ? 8 : 4;
  }
  if (s.groups > 1) return per_group >= 16 ? 16 : 4;
  if (s.oc <= 8) return 8;
  return (s.oc + 23) / 24 * 24 < (s.oc + 15) / 16 * 16 ? 24 : 16;
}

void append_finish(Builder& builder, std::vector<Argument>& arguments, const Epilogue& epilogue, int lanes) {
  Argument residual = Reads{builder.nothing()};
  Argument slope = residual;
  std::int64_t residual_groups = 0;
  if (epilogue.residual != kNone) {
    residual = Reads{builder.packed(epilogue.residual)};
    residual_groups = planes_of(builder.graph().value(epilogue.residual).dims).groups();
  }
  if (!epilogue.slope.empty()) slope = Reads{builder.floats(pad_to(epilogue.slope, lanes))};
  arguments.insert(arguments.end(),
                   {residual, narrow(residual_groups), slope, epilogue.act, epilogue.a, epilogue.b});
}

void append_window(std::vector<Argument>& arguments, const Window& w, bool with_dilation) {
  for (const auto* pair : {&w.kernel, &w.stride, &w.begin, &w.dilation}) {
    if (pair == &w.dilation && !with_dilation) continue;
    arguments.emplace_back(narrow((*pair)[1]));
    arguments.emplace_back(narrow((*pair)[2]));
  }
}

}  // namespace sluice::gpu
