#include "backends/gpu/ops/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace sluice::gpu {
namespace {

float original_coordinate(const ResizeRule& rule, const ResizeAxis& axis, std::int64_t o) {
  const auto x = static_cast<float>(o);
  const auto in = static_cast<float>(axis.in);
  const auto out = static_cast<float>(axis.out);
  if (rule.coordinates == "asymmetric") return x / axis.scale;
  if (rule.coordinates == "pytorch_half_pixel") return axis.out > 1 ? (x + 0.5F) / axis.scale - 0.5F : 0.0F;
  if (rule.coordinates == "tf_half_pixel_for_nn") return (x + 0.5F) / axis.scale;
  if (rule.coordinates == "align_corners") return axis.out == 1 ? 0.0F : x * (in - 1) / (out - 1);
  if (rule.coordinates == "tf_crop_and_resize") {
    if (axis.out == 1) return 0.5F * (axis.roi_start + axis.roi_end) * (in - 1);
    return axis.roi_start * (in - 1) + x * (axis.roi_end - axis.roi_start) * (in - 1) / (out - 1);
  }
  if (rule.coordinates == "half_pixel_symmetric") {
    const float adjusted = in * axis.scale;
    const float offset = in / 2 * (1 - out / adjusted);
    return offset + (x + 0.5F) / axis.scale - 0.5F;
  }
  return (x + 0.5F) / axis.scale - 0.5F;
}

std::int64_t round_nearest(const std::string& how, float x) {
  if (how == "floor") return static_cast<std::int64_t>(std::floor(x));
  if (how == "ceil") return static_cast<std::int64_t>(std::ceil(x));
  if (how == "round_prefer_ceil") return static_cast<std::int64_t>(std::floor(x + 0.5F));
  // Half goes down.
  return static_cast<std::int64_t>(std::ceil(x - 0.5F));
}

float kernel_at(const ResizeRule& rule, float d) {
  d = std::fabs(d);
  if (rule.mode == "linear") return std::max(0.0F, 1.0F - d);
  const float a = rule.cubic_a;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
  return 0;
}

void nearest_tap(const ResizeRule& rule, const ResizeAxis& axis, float x, std::int64_t o, AxisTaps& out) {
  // A scale of 1 copies, whatever the coordinates say.
  const std::int64_t i =
      axis.scale == 1.0F && rule.coordinates != "tf_crop_and_resize" ? o : round_nearest(rule.nearest, x);
  out.index[static_cast<std::size_t>(o)] =
      static_cast<std::int32_t>(std::clamp<std::int64_t>(i, 0, axis.in - 1));
  out.weight[static_cast<std::size_t>(o)] = 1;
}

void weighted_taps(const ResizeRule& rule, const ResizeAxis& axis, float x, float stretch, std::size_t first,
                   AxisTaps& out) {
  const bool linear = rule.mode == "linear";
  if (linear && stretch == 1.0F) x = std::clamp(x, 0.0F, static_cast<float>(axis.in - 1));
  const float reach = (linear ? 1.0F : 2.0F) * stretch;
  const auto start = static_cast<std::int64_t>(std::floor(x - reach)) + 1;
  float sum = 0;
  for (int t = 0; t < out.taps; ++t) {
    const std::int64_t i = start + t;
    const bool inside = i >= 0 && i < axis.in;
    float weight = kernel_at(rule, (x - static_cast<float>(i)) / stretch);
    if (!inside && rule.exclude_outside) weight = 0;  // else the edge counts as often as it is reached
    out.index[first + static_cast<std::size_t>(t)] =
        static_cast<std::int32_t>(std::clamp<std::int64_t>(i, 0, axis.in - 1));
    out.weight[first + static_cast<std::size_t>(t)] = weight;
    sum += weight;
  }
  if (rule.exclude_outside || rule.antialias)
    for (int t = 0; t < out.taps; ++t) out.weight[first + static_cast<std::size_t>(t)] /= sum;
}

}  // namespace

AxisTaps resize_taps(const ResizeRule& rule, const ResizeAxis& axis) {
  AxisTaps out;
  const bool nearest = rule.mode == "nearest";
  // Antialiasing stretches the kernel when it shrinks the picture.
  const float stretch = rule.antialias && axis.scale < 1 ? 1 / axis.scale : 1.0F;
  const float reach = (rule.mode == "linear" ? 1.0F : 2.0F) * stretch;
  out.taps = nearest ? 1 : static_cast<int>(std::ceil(2 * reach)) + (stretch > 1 ? 1 : 0);
  const std::size_t entries = static_cast<std::size_t>(axis.out) * static_cast<std::size_t>(out.taps);
  out.index.assign(entries, 0);
  out.weight.assign(entries, 0);
  for (std::int64_t o = 0; o < axis.out; ++o) {
    const std::size_t first = static_cast<std::size_t>(o) * static_cast<std::size_t>(out.taps);
    const float x = original_coordinate(rule, axis, o);
    if (rule.coordinates == "tf_crop_and_resize" && (x < 0 || x > static_cast<float>(axis.in - 1))) {
      out.index[first] = -1;
      out.weight[first] = 1;
    } else if (nearest) {
      nearest_tap(rule, axis, x, o, out);
    } else {
      weighted_taps(rule, axis, x, stretch, first, out);
    }
  }
  return out;
}

}  // namespace sluice::gpu
