// The rules are those of the ONNX operator specification (onnx.ai/onnx/operators).
#include "inference/onnx/shape_parts.h"

#include <algorithm>

namespace sluice::onnx {
namespace {

constexpr std::int64_t kMostInWindow = std::int64_t{1} << 15;  // of a kernel, stride or dilation

// Kernel, strides, dilations and padding of convolutions and pooling, for each spatial dimension.
struct Window {
  Dims kernel, strides, dilations, pads;
  bool same = false;  // padded so that only strides make the output smaller
};

std::optional<Window> window_of(const Call& call, Dims kernel) {
  const std::size_t n = kernel.size();
  const auto list = [&call](Bytes name, std::size_t size, std::int64_t otherwise) {
    return whole(call.attributes.numbers(name)).value_or(Dims(size, otherwise));
  };
  Window out{std::move(kernel), list("strides", n, 1), list("dilations", n, 1), list("pads", 2 * n, 0)};
  const Bytes automatic = call.attributes.text("auto_pad");
  out.same = automatic.starts_with("SAME");
  if (automatic == "VALID") out.pads.assign(2 * n, 0);
  if (out.strides.size() != n || out.dilations.size() != n || out.pads.size() != 2 * n) return std::nullopt;
  const auto usual = [](std::int64_t v) { return v >= 1 && v <= kMostInWindow; };
  for (std::size_t d = 0; d < n; ++d)
    if (!usual(out.kernel[d]) || !usual(out.strides[d]) || !usual(out.dilations[d])) return std::nullopt;
  return out;
}

std::int64_t slid(const Window& w, std::size_t d, std::int64_t size, bool ceil) {
  const std::int64_t stride = w.strides[d];
  if (w.same) return (size + stride - 1) / stride;
  const std::int64_t first = w.pads[d];
  const std::int64_t room =
      size + first + w.pads[d + w.kernel.size()] - ((w.kernel[d] - 1) * w.dilations[d] + 1);
  if (room < 0) return -1;
  std::int64_t out = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
  if (ceil && (out - 1) * stride >= size + first) --out;  // no window starts in the padding behind
  return out;
}

Shape slide(const Call& call, const Dims& x, std::int64_t channels, Dims kernel) {
  if (kernel.empty() || x.size() != kernel.size() + 2) return std::nullopt;
  const auto window = window_of(call, std::move(kernel));
  if (!window) return std::nullopt;
  const bool ceil = call.attributes.number("ceil_mode", 0) != 0;
  Dims out = {x[0], channels};
  for (std::size_t d = 0; d + 2 < x.size(); ++d) out.push_back(slid(*window, d, x[d + 2], ceil));
  return out;
}

Shape convolution(const Call& call) {
  const Dims* const x = shape(call, 0);
  const Dims* const w = shape(call, call.op.type == "QLinearConv" ? 3 : 1);
  if (!x || !w || w->size() < 3) return std::nullopt;
  return slide(call, *x, (*w)[0], Dims(w->begin() + 2, w->end()));
}

Shape pooling(const Call& call) {
  const Dims* const x = shape(call, 0);
  const auto kernel = whole(call.attributes.numbers("kernel_shape"));
  if (!x || x->size() < 3 || !kernel) return std::nullopt;
  return slide(call, *x, (*x)[1], *kernel);
}

Shape global_pooling(const Call& call) {
  Shape out = first_input_shape(call);
  if (!out || out->size() < 3) return std::nullopt;
  std::fill(out->begin() + 2, out->end(), 1);
  return out;
}

Shape transposed_convolution(const Call& call) {
  const Dims* const x = shape(call, 0);
  const Dims* const w = shape(call, 1);
  if (!x || !w || w->size() < 3 || x->size() != w->size()) return std::nullopt;
  const auto window = window_of(call, Dims(w->begin() + 2, w->end()));
  const std::size_t n = w->size() - 2;
  const auto more = whole(call.attributes.numbers("output_padding")).value_or(Dims(n, 0));
  const auto asked = whole(call.attributes.numbers("output_shape"));
  const std::int64_t group = call.attributes.number("group", 1);
  if (group < 1 || group >= kMostDim || !window || more.size() != n || (asked && asked->size() < n))
    return std::nullopt;
  Dims out = {(*x)[0], (*w)[1] * group};
  for (std::size_t d = 0; d < n; ++d) {
    const std::int64_t all =
        window->strides[d] * ((*x)[d + 2] - 1) + more[d] + (window->kernel[d] - 1) * window->dilations[d] + 1;
    const std::int64_t size =
        window->same ? (*x)[d + 2] * window->strides[d] : all - window->pads[d] - window->pads[d + n];
    out.push_back(asked ? (*asked)[asked->size() - n + d] : size);
  }
  return out;
}

}  // namespace

Rule window_rule(Bytes type) {
  constexpr std::array<std::pair<std::string_view, Rule>, 9> kRules = {
      {{"Conv", convolution},
       {"ConvInteger", convolution},
       {"QLinearConv", convolution},
       {"ConvTranspose", transposed_convolution},
       {"MaxPool", pooling},
       {"AveragePool", pooling},
       {"LpPool", pooling},
       {"GlobalAveragePool", global_pooling},
       {"GlobalMaxPool", global_pooling}}};
  return find_rule(kRules, type);
}

}  // namespace sluice::onnx
