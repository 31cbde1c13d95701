#include "backends/htp/unfit_resize.h"

#include <algorithm>
#include <cmath>

namespace sluice::htp {
namespace {

using onnx::Bytes;

struct Axis {
  std::int64_t in, out;
  float scale;  // as ONNX Runtime uses it
};

Bytes or_default(Bytes text, Bytes otherwise) { return text.empty() ? otherwise : text; }

float onnx_place(Bytes transform, const Axis& axis, float i) {
  if (transform == "align_corners")
    return axis.out == 1 ? 0 : i * static_cast<float>(axis.in - 1) / static_cast<float>(axis.out - 1);
  if (transform == "asymmetric") return i / axis.scale;
  if (transform == "pytorch_half_pixel" && axis.out == 1) return 0;
  return (i + 0.5f) / axis.scale - 0.5f;
}

float onnx_rounded(Bytes mode, float place) {
  if (mode == "floor") return std::floor(place);
  if (mode == "ceil") return std::ceil(place);
  return mode == "round_prefer_ceil" ? std::floor(place + 0.5f) : std::ceil(place - 0.5f);
}

// QNN rounds as its transformation wants, whatever nearest_mode says.
float qnn_pixel(Bytes transform, const Axis& axis, float i) {
  const float ratio = static_cast<float>(axis.in) / static_cast<float>(axis.out);
  if (transform == "align_corners") return std::floor(onnx_place(transform, axis, i) + 0.5f);
  return transform == "half_pixel" ? std::floor((i + 0.5f) * ratio) : std::floor(i * ratio);
}

bool same_pixels(Bytes transform, Bytes mode, const Axis& axis) {
  const auto last = static_cast<float>(axis.in - 1);
  for (std::int64_t place = 0; place < axis.out; ++place) {
    const auto i = static_cast<float>(place);
    const float wanted = onnx_rounded(mode, onnx_place(transform, axis, i));
    if (std::clamp(wanted, 0.0f, last) != std::clamp(qnn_pixel(transform, axis, i), 0.0f, last)) return false;
  }
  return true;
}

// QNN takes the ratio of the sizes for the scale.
bool is_whole(const Axis& axis) {
  constexpr float kRounding = 1e-3f;
  return std::abs(static_cast<float>(axis.in) * axis.scale - static_cast<float>(axis.out)) < kRounding;
}

}  // namespace

std::string why_resize_is_unfit(const onnx::Attributes& attributes, const onnx::Dims& in,
                                const onnx::Dims& out, const onnx::Numbers& scales) {
  constexpr std::int64_t kMostPixels = 1 << 20;
  const Bytes mode = or_default(attributes.text("mode"), "nearest");
  const Bytes transform = or_default(attributes.text("coordinate_transformation_mode"), "half_pixel");
  const Bytes rounding = or_default(attributes.text("nearest_mode"), "round_prefer_floor");
  if (transform.starts_with("tf_") || transform == "half_pixel_symmetric") return {};
  for (std::size_t i = 0; i < std::min(in.size(), out.size()); ++i) {
    if (in[i] < 1 || out[i] < 1 || in[i] > kMostPixels || out[i] > kMostPixels) continue;
    Axis axis{in[i], out[i], static_cast<float>(out[i]) / static_cast<float>(in[i])};
    if (scales.size() == in.size() && scales[i] > 0) axis.scale = static_cast<float>(scales[i]);
    if (mode == "nearest" && !same_pixels(transform, rounding, axis))
      return "takes other nearest pixels than QNN does (" + std::string(transform) + ", " +
             std::string(rounding) +
             "); asymmetric with floor is right, and half_pixel with round_prefer_ceil";
    if (mode == "linear" && transform != "align_corners" && !is_whole(axis))
      return "has a scale that makes no whole number of pixels, where QNN's places are others; give sizes";
    if (mode != "nearest" && transform == "pytorch_half_pixel" && out[i] == 1 && in[i] > 1)
      return "makes one pixel by pytorch_half_pixel, for which QNN takes another place; write half_pixel";
  }
  return {};
}

}  // namespace sluice::htp
