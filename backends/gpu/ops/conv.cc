// Conv and ConvTranspose: which kernel takes it, and the epilogue that fusion put behind it.
#include "backends/gpu/ops/conv_parts.h"
#include "backends/gpu/ops/lowering.h"
#include "backends/gpu/ops/separable.h"

namespace sluice::gpu {
namespace {

std::string check_weights(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  if (x.dims.size() < 3 || x.dims.size() > 5) return "has 0 or more than 3 spatial dimensions";
  if (!node.has_input(1) || !graph.input(node, 1).known) return "has weights whose shape is not fixed";
  return {};
}

void lower_depthwise(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded) {
  const Window& w = s.w;
  const SlotId x = builder.packed(node.inputs[0]);
  const SlotId weights = builder.singles(pack_depthwise(folded, s.oc, w.kernel[1] * w.kernel[2]));
  const SlotId bias = builder.singles(folded.bias);
  const SlotId y = builder.make_packed(node.outputs[0]);
  const bool three = w.kernel[1] == 3 && w.kernel[2] == 3 && w.stride[1] == 1 && w.stride[2] == 1 &&
                     w.dilation[1] == 1 && w.dilation[2] == 1;
  std::vector<Argument> arguments = {Reads{x}, Reads{weights}, Reads{bias}, Writes{y}};
  append_finish(builder, arguments, y, folded.epilogue, 4);
  for (const std::int64_t size : {s.oc, w.in[1], w.in[2], w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  const std::int64_t groups = (s.oc + 3) / 4;
  if (three) {
    const std::int64_t rows = builder.lanes() == 16 ? 4 : 1;  // per work item: a GPU rather has more of them
    arguments.insert(arguments.end(), {narrow(w.begin[1]), narrow(w.begin[2]), narrow(rows)});
    builder.launch("depthwise", "depthwise3", std::move(arguments),
                   {(w.out[2] + 3) / 4 * ((w.out[1] + rows - 1) / rows), groups, s.n});
    return;
  }
  append_window(arguments, w, true);
  builder.launch("depthwise", "depthwise", std::move(arguments), {s.tiles(), groups, s.n});
}

// Reads a plain tensor by strides: NCHW as it is, NHWC when fusion took a Transpose away.
void lower_first(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded,
                 int lanes) {
  const Window& w = s.w;
  const bool nhwc = node.integer("nhwc_input", 0) != 0;
  const std::int64_t plane = w.in[1] * w.in[2];
  const SlotId x = builder.plain(node.inputs[0]);
  std::vector<Argument> arguments = {
      Reads{x}, builder.weights(pack_first(folded, s.oc, s.ic, w.kernel[1] * w.kernel[2], lanes)),
      Reads{builder.singles(pad_to(folded.bias, lanes))}};
  const SlotId y = builder.make_packed(node.outputs[0]);
  arguments.emplace_back(Writes{y});
  append_finish(builder, arguments, y, folded.epilogue, lanes);
  arguments.emplace_back(Reads{builder.nothing()});
  for (const std::int64_t size : {s.ic, s.ic * plane, nhwc ? 1 : plane, nhwc ? w.in[2] * s.ic : w.in[2],
                                  nhwc ? s.ic : 1, w.in[1], w.in[2], s.oc, w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  append_window(arguments, w, true);
  builder.launch("conv_first", "conv_first", std::move(arguments), lanes,
                 {s.tiles(), (s.oc + lanes - 1) / lanes, s.n});
}

void lower_packed(Builder& builder, const Node& node, const Shape2d& s, const FoldedWeights& folded,
                  bool transposed) {
  const Window& w = s.w;
  const int lanes = lanes_for(builder, s);
  const std::int64_t taps = w.kernel[1] * w.kernel[2];
  const bool point = !transposed && is_point(s);
  const SlotId x = builder.packed(node.inputs[0]);
  const Bands bands = pack_bands(folded, s.oc, s.ic, s.groups, taps, lanes);
  std::vector<Argument> arguments = {Reads{x}, builder.weights(bands.weights),
                                     Reads{builder.singles(pad_to(folded.bias, lanes))}};
  const SlotId y = builder.make_packed(node.outputs[0]);
  arguments.emplace_back(Writes{y});
  append_finish(builder, arguments, y, folded.epilogue, lanes);
  if (!point && !transposed) arguments.emplace_back(Reads{builder.nothing()});
  arguments.emplace_back(Reads{builder.integers(bands.table)});
  arguments.emplace_back(narrow((s.ic + 3) / 4));
  const std::int64_t vectors = (s.oc + lanes - 1) / lanes;
  if (point) {
    for (const std::int64_t size : {s.oc, s.pixels()}) arguments.emplace_back(narrow(size));
    builder.launch("conv1x1", "conv1x1", std::move(arguments), lanes, {(s.pixels() + 3) / 4, vectors, s.n});
    return;
  }
  for (const std::int64_t size : {w.in[1], w.in[2], s.oc, w.out[1], w.out[2]})
    arguments.emplace_back(narrow(size));
  append_window(arguments, w, true);
  if (transposed)
    builder.launch("conv_transpose", "conv_transpose", std::move(arguments), lanes,
                   {s.tiles(), vectors, s.n});
  else
    builder.launch("conv", "conv", std::move(arguments), lanes, {s.tiles(), vectors, s.n});
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
  if (is_depthwise(s) && joins_next(graph, node)) return {};  // launched with its reader
  if (const Node* depthwise = depthwise_before(graph, node)) {
    lower_separable(builder, *depthwise, node);
    return {};
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

bool lower_scaling(Builder& builder, const Node& chain) {
  const auto folded = fold_scaling(builder.graph(), chain);
  if (!folded) return false;
  const Planes planes = planes_of(builder.graph().output(chain).dims);
  Shape2d s{planes.n, planes.channels, planes.channels, planes.channels, {}};
  s.w.in[2] = s.w.out[2] = planes.pixels;  // rows that follow each other are one
  lower_depthwise(builder, chain, s, *folded);
  return true;
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
