// Resize and Upsample: axis by axis, each by a table (resize_taps.h) and one kernel.
#include <bit>
#include <cmath>
#include <numeric>

#include "backends/gpu/ops/lowering.h"
#include "backends/gpu/ops/resize_taps.h"

namespace sluice::gpu {
namespace {

// Which input holds what: it moved with the operator's versions.
struct Inputs {
  std::size_t roi, scales, sizes;
};
Inputs inputs_of(const Node& node) {
  if (node.op == "Upsample" || node.since < 11) return {9, 1, 9};
  return {1, 2, 3};
}

std::vector<float> floats_at(const Graph& graph, const Node& node, std::size_t input) {
  if (!node.has_input(input)) return {};
  return constant_floats(graph.input(node, input)).value_or(std::vector<float>{});
}

ResizeRule rule_of(const Node& node) {
  ResizeRule rule;
  rule.mode = node.text("mode", "nearest");
  if (rule.mode == "bilinear") rule.mode = "linear";
  const bool old = node.op == "Upsample" || node.since < 11;
  rule.coordinates = node.text("coordinate_transformation_mode", old ? "asymmetric" : "half_pixel");
  rule.nearest = node.text("nearest_mode", old ? "floor" : "round_prefer_floor");
  rule.cubic_a = node.number("cubic_coeff_a", -0.75F);
  rule.exclude_outside = node.integer("exclude_outside", 0) != 0;
  rule.antialias = node.integer("antialias", 0) != 0;
  return rule;
}

std::vector<std::int64_t> axes_of(const Node& node, std::size_t rank) {
  auto axes = node.integers("axes", {});
  if (axes.empty()) {
    axes.resize(rank);
    std::iota(axes.begin(), axes.end(), 0);
  }
  for (std::int64_t& axis : axes)
    if (axis < 0) axis += static_cast<std::int64_t>(rank);
  return axes;
}

std::vector<ResizeAxis> axes_to_resize(const Graph& graph, const Node& node) {
  const Dims& x = graph.input(node, 0).dims;
  const Dims& y = graph.output(node).dims;
  const Inputs at = inputs_of(node);
  std::vector<float> scales = floats_at(graph, node, at.scales);
  if (scales.empty() && node.op == "Upsample") scales = node.numbers("scales");
  const std::vector<float> roi = floats_at(graph, node, at.roi);
  const auto listed = axes_of(node, x.size());
  const bool keeps_aspect = node.text("keep_aspect_ratio_policy", "stretch") != "stretch";
  std::vector<ResizeAxis> axes(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    axes[i].in = x[i];
    axes[i].out = y[i];
    axes[i].scale = static_cast<float>(y[i]) / static_cast<float>(x[i]);
  }
  for (std::size_t k = 0; k < listed.size(); ++k) {
    ResizeAxis& axis = axes[static_cast<std::size_t>(listed[k])];
    if (k < scales.size() && !keeps_aspect) axis.scale = scales[k];
    if (roi.size() == 2 * listed.size()) {
      axis.roi_start = roi[k];
      axis.roi_end = roi[listed.size() + k];
    }
  }
  return axes;
}

// An axis that is only copied.
bool is_copy(const ResizeRule& rule, const ResizeAxis& axis) {
  if (axis.in != axis.out) return false;
  if (rule.coordinates == "tf_crop_and_resize") return axis.roi_start == 0 && axis.roi_end == 1;
  return axis.scale == 1;
}

SlotId table_of(Builder& builder, const AxisTaps& taps) {
  std::vector<std::int32_t> words;
  for (std::size_t i = 0; i < taps.index.size(); ++i) {
    words.push_back(taps.index[i]);
    words.push_back(std::bit_cast<std::int32_t>(taps.weight[i]));
  }
  return builder.integers(words);
}

}  // namespace

std::string check_resize(const Graph& graph, const Node& node) {
  const Inputs at = inputs_of(node);
  for (const std::size_t i : {at.roi, at.scales, at.sizes})
    if (node.has_input(i) && graph.input(node, i).known && !graph.input(node, i).constant())
      return "has parameters that only the run knows";
  const ResizeRule rule = rule_of(node);
  if (rule.coordinates == "align_corners")
    for (const ResizeAxis& axis : axes_to_resize(graph, node))
      if (axis.out > 1 &&
          std::fabs(axis.scale * static_cast<float>(axis.in) - static_cast<float>(axis.out)) > 1e-3F)
        return "aligns corners of a fractional size, which ONNX and ONNX Runtime define differently";
  if (rule.coordinates == "tf_crop_and_resize" && graph.input(node, 0).dims == graph.output(node).dims)
    return "crops to its own size, which ONNX Runtime takes for a copy";
  if (node.text("keep_aspect_ratio_policy", "stretch") != "stretch") return "keeps the aspect ratio";
  const std::string& mode = rule.mode;
  if (mode != "nearest" && mode != "linear" && mode != "cubic") return "has mode '" + mode + "'";
  return {};
}

Status lower_resize(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const ResizeRule rule = rule_of(node);
  const float outside = node.number("extrapolation_value", 0);
  const std::vector<ResizeAxis> axes = axes_to_resize(graph, node);
  std::vector<std::size_t> passes;
  for (std::size_t i = 0; i < axes.size(); ++i)
    if (!is_copy(rule, axes[i])) passes.push_back(i);
  if (passes.empty()) {
    builder.alias(node.outputs[0], node.inputs[0]);
    return {};
  }
  const bool packed =
      builder.has_packed(node.inputs[0]) && axes.size() >= 3 && passes.front() >= 2 && outside == 0;
  SlotId from = packed ? builder.packed(node.inputs[0]) : builder.plain(node.inputs[0]);
  Dims dims = graph.input(node, 0).dims;
  for (const std::size_t axis : passes) {
    const AxisTaps taps = resize_taps(rule, axes[axis]);
    const Planes planes = planes_of(dims);
    std::int64_t inner = product(std::span(dims).subspan(axis + 1));
    dims[axis] = axes[axis].out;
    const std::int64_t total =
        packed ? planes.n * planes.groups() * product(std::span(dims).subspan(2)) : product(dims);
    const bool fours = !packed && inner % 4 == 0;
    if (fours) inner /= 4;
    const std::int64_t items = fours ? total / 4 : total;
    const SlotId table = table_of(builder, taps);
    const bool last = axis == passes.back();
    const SlotId to = !last    ? builder.scratch(packed ? total * 4 : total)
                      : packed ? builder.make_packed(node.outputs[0])
                               : builder.make_plain(node.outputs[0]);
    builder.launch("move", packed || fours ? "resample4" : "resample",
                   {Reads{from}, Writes{to}, Reads{table}, taps.taps, narrow(axes[axis].in),
                    narrow(axes[axis].out), narrow(inner), narrow(items), outside},
                   {items});
    from = to;
  }
  return {};
}

}  // namespace sluice::gpu
