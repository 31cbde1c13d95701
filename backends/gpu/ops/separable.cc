#include "backends/gpu/ops/separable.h"

#include <algorithm>
#include <array>

#include "backends/gpu/ops/conv_parts.h"

namespace sluice::gpu {
namespace {

// What a group may take: work items and bytes of local memory that every device has, the latter also so that
// it stays in a CPU's nearest cache.
constexpr std::int64_t kMostItems = 64, kMostBytes = 12288;
constexpr std::int64_t kMostChannels =
    128;  // in or out: with more of them the sums cost the time, not the tensor between

bool is_plain_conv(const Graph& graph, const Node& node) {
  return node.op == "Conv" && packed_kernels_take(graph, node) && graph.input(node, 0).dims.size() <= 4 &&
         node.integer("nhwc_input", 0) == 0;
}

bool makes(const Node& node, ValueId id) { return std::ranges::find(node.outputs, id) != node.outputs.end(); }

std::int64_t reads_of(const Graph& graph, ValueId id) {
  auto count = std::ranges::count(graph.outputs, id);
  for (const Node& node : graph.nodes)
    count += std::ranges::count(node.inputs, id) + std::ranges::count(node.steps, id, &ChainStep::operand);
  return count;
}

bool can_be_first(const Graph& graph, const Node& node) {
  if (!is_plain_conv(graph, node)) return false;
  const Shape2d s = shape_of(graph, node, false);
  if (!is_depthwise(s) || s.oc > kMostChannels) return false;
  const Epilogue epilogue = fold_weights(graph, node, s.oc).epilogue;
  return epilogue.residual == kNone && epilogue.slope.empty();
}

// How many tiles a group makes, and by how many work items along both axes.
struct Share {
  std::int64_t tiles;
  std::array<std::size_t, 2> items;
};

Share share_of(const Builder& builder, std::int64_t channels, std::int64_t vectors) {
  const bool wide = builder.lanes() == 16;
  std::int64_t tiles = wide ? 32 : 16;
  while (tiles > 1 && (tiles * channels * 16 > kMostBytes || (!wide && tiles * vectors > kMostItems)))
    tiles /= 2;
  if (wide) return {tiles, {1, 1}};
  return {tiles, {static_cast<std::size_t>(tiles), static_cast<std::size_t>(vectors)}};
}

}  // namespace

const Node* depthwise_before(const Graph& graph, const Node& point) {
  if (!is_plain_conv(graph, point)) return nullptr;
  const Shape2d s = shape_of(graph, point, false);
  if (s.groups != 1 || !is_point(s) || s.oc > kMostChannels) return nullptr;
  const ValueId between = point.inputs[0];
  const auto found =
      std::ranges::find_if(graph.nodes, [&](const Node& node) { return makes(node, between); });
  if (found == graph.nodes.end() || !can_be_first(graph, *found)) return nullptr;
  return reads_of(graph, between) == 1 ? &*found : nullptr;
}

bool joins_next(const Graph& graph, const Node& depthwise) {
  const auto reads = [&](const Node& node) {
    return !node.inputs.empty() && node.inputs[0] == depthwise.outputs[0];
  };
  const auto found = std::ranges::find_if(graph.nodes, reads);
  return found != graph.nodes.end() && depthwise_before(graph, *found) == &depthwise;
}

void lower_separable(Builder& builder, const Node& depthwise, const Node& point) {
  const Graph& graph = builder.graph();
  const Shape2d first = shape_of(graph, depthwise, false);
  const Shape2d second = shape_of(graph, point, false);
  const FoldedWeights taps = fold_weights(graph, depthwise, first.oc);
  const FoldedWeights sums = fold_weights(graph, point, second.oc);
  const int lanes = lanes_for(builder, second);
  const std::int64_t vectors = (second.oc + lanes - 1) / lanes;
  const std::int64_t channels = (first.oc + 3) / 4 * 4;
  const Share share = share_of(builder, channels, vectors);
  builder.begin(depthwise);
  const SlotId x = builder.packed(depthwise.inputs[0]);
  const SlotId y = builder.make_packed(point.outputs[0]);
  std::vector<Argument> arguments = {
      Reads{x},
      Reads{builder.singles(pack_depthwise(taps, first.oc, first.w.kernel[1] * first.w.kernel[2]))},
      Reads{builder.singles(taps.bias)},
      taps.epilogue.act,
      taps.epilogue.a,
      taps.epilogue.b,
      taps.epilogue.factor,
      taps.epilogue.addend,
      builder.weights(pack_bands(sums, second.oc, second.ic, 1, 1, lanes).weights),
      Reads{builder.singles(pad_to(sums.bias, lanes))},
      Writes{y}};
  append_finish(builder, arguments, y, sums.epilogue, lanes);
  arguments.emplace_back(Local{static_cast<std::size_t>(share.tiles * channels) * 4 * sizeof(float)});
  for (const std::int64_t size :
       {share.tiles, first.oc, first.w.in[1], first.w.in[2], second.oc, first.w.out[1], first.w.out[2]})
    arguments.emplace_back(narrow(size));
  append_window(arguments, first.w, true);
  const std::int64_t shares = (first.tiles() + share.tiles - 1) / share.tiles;
  builder.launch("separable", "separable", std::move(arguments), lanes,
                 {shares * static_cast<std::int64_t>(share.items[0]),
                  static_cast<std::int64_t>(share.items[1]), first.n},
                 share.items);
}

}  // namespace sluice::gpu
