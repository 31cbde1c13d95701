// Conv and ConvTranspose: which kernel takes it, and the epilogue that fusion put behind it.
#include <algorithm>

#include "backends/gpu/kernels/opcodes.h"
#include "backends/gpu/kernels/tiles.h"
#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/lowering.h"
#include "backends/gpu/ops/window.h"

namespace sluice::gpu {
namespace {

struct Shape2d {
  std::int64_t n, ic, oc, groups;
  Window w;
  std::int64_t pixels() const { return w.out[1] * w.out[2]; }
};

Dims kernel_dims(const Value& weights) { return {weights.dims.begin() + 2, weights.dims.end()}; }

bool known_floats(const Value& value) { return value.constant() && value.known; }

Shape2d shape_of(const Graph& graph, const Node& node, bool transposed) {
  const Value& x = graph.input(node, 0);
  const Value& y = graph.output(node);
  const Dims kernel = kernel_dims(graph.input(node, 1));
  return {x.dims[0], x.dims[1], y.dims[1], node.integer("group", 1),
          transposed ? transposed_window_of(node, kernel, x.dims, y.dims)
                     : window_of(node, kernel, x.dims, y.dims)};
}

std::string check_weights(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  if (x.dims.size() < 3 || x.dims.size() > 5) return "has 0 or more than 3 spatial dimensions";
  if (!node.has_input(1) || !graph.input(node, 1).known) return "has weights whose shape is not fixed";
  return {};
}

bool is_depthwise(const Shape2d& s) { return s.groups == s.ic && s.groups == s.oc && s.groups > 1; }

constexpr std::int64_t kFewItems = 512;  // below it a small GPU rather has more of them than larger ones

// Output channels of a work item: as many as keep the sums apart that a pipeline wants, unless lanes stay
// idle, groups are so small that vectors read what most of their lanes do not need, or too few work items are
// left.
int lanes_for(const Builder& builder, const Shape2d& s) {
  const std::int64_t per_group = s.oc / s.groups;
  if (builder.lanes() == 4) {
    const std::int64_t items = s.n * ((s.pixels() + 3) / 4) * ((s.oc + 7) / 8);
    return (s.groups == 1 ? per_group > 4 : per_group >= 8) && items >= kFewItems ? 8 : 4;
  }
  if (s.groups > 1) return per_group >= 16 ? 16 : 4;
  const bool half_idle = s.oc <= 24 && (s.oc - 1) % 16 < 8;  // three eights take less than two sixteens
  return half_idle ? 8 : 16;
}

bool packed_kernels_take(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  if (x.dims.size() > 4 || !known_floats(graph.input(node, 1))) return false;
  return !node.has_input(2) || known_floats(graph.input(node, 2));
}

// What follows the sum: residual, slope or activation.
struct Finish {
  Argument residual;
  std::int64_t residual_groups = 0;
  Argument slope;
  int act = OP_NONE;
  float a = 0, b = 0;
};

Finish finish_of(Builder& builder, const Epilogue& epilogue, int lanes) {
  Finish finish{.residual = Reads{builder.nothing()}, .slope = Reads{builder.nothing()}};
  if (epilogue.residual != kNone) {
    finish.residual = Reads{builder.packed(epilogue.residual)};
    finish.residual_groups = planes_of(builder.graph().value(epilogue.residual).dims).groups();
  }
  if (!epilogue.slope.empty()) {
    std::vector<float> slope = epilogue.slope;
    slope.resize((slope.size() + static_cast<std::size_t>(lanes) - 1) / static_cast<std::size_t>(lanes) *
                     static_cast<std::size_t>(lanes),
                 0.0F);
    finish.slope = Reads{builder.floats(slope)};
  }
  finish.act = epilogue.act;
  finish.a = epilogue.a;
  finish.b = epilogue.b;
  return finish;
}

void append_finish(std::vector<Argument>& arguments, const Finish& finish) {
  arguments.insert(arguments.end(), {finish.residual, narrow(finish.residual_groups), finish.slope,
                                     finish.act, finish.a, finish.b});
}

void append_window(std::vector<Argument>& arguments, const Window& w, bool with_dilation) {
  for (const auto* pair : {&w.kernel, &w.stride, &w.begin, &w.dilation}) {
    if (pair == &w.dilation && !with_dilation) continue;
    arguments.emplace_back(narrow((*pair)[1]));
    arguments.emplace_back(narrow((*pair)[2]));
  }
}

void lower_depthwise(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded) {
  const Window& w = s.w;
  const SlotId x = builder.packed(node.inputs[0]);
  const SlotId weights = builder.floats(pack_depthwise(folded, s.oc, w.kernel[1] * w.kernel[2]));
  const SlotId bias = builder.floats(folded.bias);
  const Finish finish = finish_of(builder, folded.epilogue, 4);
  const SlotId y = builder.make_packed(node.outputs[0]);
  const bool three = w.kernel[1] == 3 && w.kernel[2] == 3 && w.stride[1] == 1 && w.stride[2] == 1 &&
                     w.dilation[1] == 1 && w.dilation[2] == 1;
  std::vector<Argument> arguments = {Reads{x}, Reads{weights}, Reads{bias}, Writes{y}};
  append_finish(arguments, finish);
  for (const std::int64_t size : {s.oc, w.in[1], w.in[2], w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  const std::int64_t groups = (s.oc + 3) / 4;
  if (three) {
    arguments.insert(arguments.end(), {narrow(w.begin[1]), narrow(w.begin[2])});
    const std::int64_t rows =
        builder.lanes() == 16 ? (w.out[1] + DEPTHWISE_ROWS - 1) / DEPTHWISE_ROWS : w.out[1];
    builder.launch("depthwise", "depthwise3", std::move(arguments), {(w.out[2] + 3) / 4 * rows, groups, s.n});
    return;
  }
  append_window(arguments, w, true);
  builder.launch("depthwise", "depthwise", std::move(arguments),
                 {(w.out[2] + 3) / 4 * w.out[1], groups, s.n});
}

// Reads a plain tensor by strides: NCHW as it is, NHWC when fusion took a Transpose away.
void lower_first(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded,
                 int lanes) {
  const Window& w = s.w;
  const bool nhwc = node.integer("nhwc_input", 0) != 0;
  const std::int64_t plane = w.in[1] * w.in[2];
  const SlotId x = builder.plain(node.inputs[0]);
  std::vector<Argument> arguments = {
      Reads{x}, Reads{builder.floats(pack_first(folded, s.oc, s.ic, w.kernel[1] * w.kernel[2], lanes))},
      Reads{builder.floats(pad_to(folded.bias, lanes))}};
  const Finish finish = finish_of(builder, folded.epilogue, lanes);
  arguments.emplace_back(Writes{builder.make_packed(node.outputs[0])});
  append_finish(arguments, finish);
  arguments.emplace_back(Reads{builder.nothing()});
  for (const std::int64_t size : {s.ic, s.ic * plane, nhwc ? 1 : plane, nhwc ? w.in[2] * s.ic : w.in[2],
                                  nhwc ? s.ic : 1, w.in[1], w.in[2], s.oc, w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  append_window(arguments, w, true);
  builder.launch("conv", "conv_first", std::move(arguments), lanes,
                 {(w.out[2] + 3) / 4 * w.out[1], (s.oc + lanes - 1) / lanes, s.n});
}

void lower_packed(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded,
                  bool transposed) {
  const Window& w = s.w;
  const int lanes = lanes_for(builder, s);
  const std::int64_t taps = w.kernel[1] * w.kernel[2];
  const bool point = !transposed && taps == 1 && w.stride[1] == 1 && w.stride[2] == 1 && w.begin[1] == 0 &&
                     w.begin[2] == 0 && w.end[1] == 0 && w.end[2] == 0;
  const SlotId x = builder.packed(node.inputs[0]);
  const Bands bands = pack_bands(folded, s.oc, s.ic, s.groups, taps, lanes);
  std::vector<Argument> arguments = {Reads{x}, Reads{builder.floats(bands.weights)},
                                     Reads{builder.floats(pad_to(folded.bias, lanes))}};
  const Finish finish = finish_of(builder, folded.epilogue, lanes);
  arguments.emplace_back(Writes{builder.make_packed(node.outputs[0])});
  append_finish(arguments, finish);
  if (!point && !transposed) arguments.emplace_back(Reads{builder.nothing()});
  arguments.emplace_back(Reads{builder.integers(bands.table)});
  arguments.emplace_back(narrow((s.ic + 3) / 4));
  const std::int64_t vectors = (s.oc + lanes - 1) / lanes;
  if (point) {
    for (const std::int64_t size : {s.oc, s.pixels()}) arguments.emplace_back(narrow(size));
    builder.launch("conv", "conv1x1", std::move(arguments), lanes, {(s.pixels() + 3) / 4, vectors, s.n});
    return;
  }
  for (const std::int64_t size : {w.in[1], w.in[2], s.oc, w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  append_window(arguments, w, true);
  if (transposed)
    builder.launch("conv", "conv_transpose", std::move(arguments), lanes, {s.pixels(), vectors, s.n});
  else
    builder.launch("conv", "conv", std::move(arguments), lanes,
                   {(w.out[2] + 3) / 4 * w.out[1], vectors, s.n});
}

void lower_plain(Builder& builder, const Node& node, const Shape2d& s, const char* kernel) {
  std::vector<std::int32_t> geometry = {narrow(s.ic), narrow(s.oc), narrow(s.groups)};
  for (const auto* sizes : {&s.w.in, &s.w.out, &s.w.kernel, &s.w.stride, &s.w.begin, &s.w.dilation})
    for (const std::int64_t size : *sizes) geometry.push_back(narrow(size));
  const bool has_bias = node.has_input(2);
  const SlotId x = builder.plain(node.inputs[0]);
  const SlotId weights = builder.plain(node.inputs[1]);
  const SlotId bias = has_bias ? builder.plain(node.inputs[2]) : builder.nothing();
  const std::int64_t count = builder.graph().output(node).count();
  builder.launch("plain", kernel,
                 {Reads{x}, Reads{weights}, Reads{bias}, Writes{builder.make_plain(node.outputs[0])},
                  Reads{builder.integers(geometry)}, narrow(count), has_bias ? 1 : 0},
                 {count});
}

}  // namespace

std::string check_conv(const Graph& graph, const Node& node) { return check_weights(graph, node); }
std::string check_conv_transpose(const Graph& graph, const Node& node) { return check_weights(graph, node); }

bool conv_can_finish(const Graph& graph, const Node& node) { return packed_kernels_take(graph, node); }

bool conv_is_first_layer(const Graph& graph, const Node& node) {
  if (node.op != "Conv" || !packed_kernels_take(graph, node)) return false;
  const Value& weights = graph.input(node, 1);
  return weights.dims[1] <= 4 && node.integer("group", 1) == 1 && weights.dims.size() == 4 &&
         weights.dims[2] * weights.dims[3] > 1;
}

Status lower_conv(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  if (!packed_kernels_take(graph, node)) {
    lower_plain(builder, node, shape_of(graph, node, false), "conv_plain");
    return {};
  }
  Shape2d s = shape_of(graph, node, false);
  const bool nhwc = node.integer("nhwc_input", 0) != 0;
  if (nhwc) {  // fusion took the Transpose away: the input's shape is NHWC
    const Dims& x = graph.input(node, 0).dims;
    const Dims nchw = {x[0], x[3], x[1], x[2]};
    s.ic = nchw[1];
    s.w = window_of(node, kernel_dims(graph.input(node, 1)), nchw, graph.output(node).dims);
  }
  const FoldedWeights folded = fold_weights(graph, node, s.oc);
  if (is_depthwise(s))
    lower_depthwise(builder, node, s, folded);
  else if (nhwc || (conv_is_first_layer(graph, node) && !builder.has_packed(node.inputs[0])))
    lower_first(builder, node, s, folded, lanes_for(builder, s));
  else
    lower_packed(builder, node, s, folded, false);
  return {};
}

Status lower_conv_transpose(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Shape2d s = shape_of(graph, node, true);
  if (packed_kernels_take(graph, node))
    lower_packed(builder, node, s, fold_weights(graph, node, s.oc), true);
  else
    lower_plain(builder, node, s, "conv_transpose_plain");
  return {};
}

}  // namespace sluice::gpu
