#include "backends/gpu/ops/conv_parts.h"

#include "backends/gpu/kernels/opcodes.h"

namespace sluice::gpu {
namespace {

// Of work items below which a small GPU rather has more of them than larger ones. Those of 16 channels keep
// it busy alone: each has 64 sums that do not wait for each other.
constexpr std::int64_t kFewItems = 512;
constexpr std::int64_t kFewWideItems = 640;

bool known_floats(const Value& value) { return value.constant() && value.known; }

std::int64_t padded_to(std::int64_t channels, std::int64_t lanes) {
  return (channels + lanes - 1) / lanes * lanes;
}

// Of the float4 set: 16, 8 or 4. Each reads the inputs half as often as the next, and its sums hide twice as
// much of what an addition takes.
int portable_lanes(const Builder& builder, const Shape2d& s) {
  const std::int64_t per_group = s.oc / s.groups;
  const auto items = [&](std::int64_t lanes) {
    return s.n * ((s.pixels() + 3) / 4) * (padded_to(s.oc, lanes) / lanes);
  };
  const bool wide = s.groups == 1 ? padded_to(s.oc, 16) == padded_to(s.oc, 8) : per_group >= 16;
  if (wide && builder.widest() >= 16 && items(16) >= kFewWideItems) return 16;
  return (s.groups == 1 ? per_group > 4 : per_group >= 8) && items(8) >= kFewItems ? 8 : 4;
}

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
  if (builder.lanes() == 4) return portable_lanes(builder, s);
  if (s.groups > 1) return s.oc / s.groups >= 16 ? 16 : 4;
  if (s.oc <= 8) return 8;
  if (builder.widest() >= 32) return 16 * padded_to(s.oc, 32) <= 17 * padded_to(s.oc, 16) ? 32 : 16;
  return padded_to(s.oc, 24) < padded_to(s.oc, 16) ? 24 : 16;
}

void append_finish(Builder& builder, std::vector<Argument>& arguments, SlotId y, const Epilogue& epilogue,
                   int lanes) {
  Argument residual = Reads{builder.nothing()};
  Argument slope = residual;
  std::int64_t residual_groups = 0;
  if (epilogue.residual != kNone) {
    residual = builder.packed_like(y, epilogue.residual);
    residual_groups = planes_of(builder.graph().value(epilogue.residual).dims).groups();
  }
  if (!epilogue.slope.empty()) slope = Reads{builder.singles(pad_to(epilogue.slope, lanes))};
  arguments.insert(arguments.end(), {residual, narrow(residual_groups), slope, epilogue.act, epilogue.a,
                                     epilogue.b, epilogue.factor, epilogue.addend});
}

void append_window(std::vector<Argument>& arguments, const Window& w, bool with_dilation) {
  for (const auto* pair : {&w.kernel, &w.stride, &w.begin, &w.dilation}) {
    if (pair == &w.dilation && !with_dilation) continue;
    arguments.emplace_back(narrow((*pair)[1]));
    arguments.emplace_back(narrow((*pair)[2]));
  }
}

}  // namespace sluice::gpu
