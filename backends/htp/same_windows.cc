#include "backends/htp/same_windows.h"

#include <algorithm>
#include <array>
#include <optional>

namespace sluice::htp {
namespace {

using onnx::Bytes;
using onnx::Dims;

constexpr std::int64_t kMostInWindow = 1 << 30;  // so that products fit

struct Axis {
  std::int64_t in, kernel, stride, dilation;
  std::int64_t total() const {
    return ((in + stride - 1) / stride - 1) * stride + (kernel - 1) * dilation + 1 - in;
  }
};

bool is_pool(const onnx::Operator& op) { return op.type == "MaxPool" || op.type == "AveragePool"; }

// 1 where nothing is given; what is no size of a window is 0.
Dims whole(const onnx::Attributes& attributes, Bytes name, std::size_t size) {
  const auto numbers = attributes.numbers(name);
  Dims out(size, 1);
  for (std::size_t i = 0; numbers && i < std::min(size, numbers->size()); ++i) {
    const double number = (*numbers)[i];
    out[i] =
        number >= 1 && number <= static_cast<double>(kMostInWindow) ? static_cast<std::int64_t>(number) : 0;
  }
  return out;
}

// Of the windows alone; empty: not known.
Dims kernel_of(const onnx::Operator& op, const onnx::Attributes& attributes, const onnx::ModelHeader& header,
               const onnx::Shapes& shapes, std::size_t spatial) {
  if (attributes.numbers("kernel_shape")) return whole(attributes, "kernel_shape", spatial);
  if (is_pool(op) || op.inputs.size() < 2) return {};
  Dims weights;
  const auto found = shapes.find(op.inputs[1]);
  if (found != shapes.end()) weights = found->second;
  for (const onnx::Initializer& one : header.initializers)
    if (one.name == op.inputs[1]) weights = onnx::tensor_dims(one.message);
  return weights.size() == spatial + 2 ? Dims(weights.begin() + 2, weights.end()) : Dims{};
}

std::vector<Axis> axes_of(const onnx::Operator& op, const onnx::Attributes& attributes,
                          const onnx::ModelHeader& header, const onnx::Shapes& shapes) {
  const auto x = op.inputs.empty() ? shapes.end() : shapes.find(op.inputs[0]);
  if (x == shapes.end() || x->second.size() < 3) return {};
  const std::size_t spatial = x->second.size() - 2;
  const Dims kernel = kernel_of(op, attributes, header, shapes, spatial);
  if (kernel.empty()) return {};
  const Dims strides = whole(attributes, "strides", spatial),
             dilations = whole(attributes, "dilations", spatial);
  std::vector<Axis> out;
  for (std::size_t i = 0; i < spatial; ++i) {
    if (kernel[i] < 1 || kernel[i] > kMostInWindow || strides[i] < 1 || dilations[i] < 1) return {};
    out.push_back({x->second[i + 2], kernel[i], strides[i], dilations[i]});
  }
  return out;
}

// Where ONNX Runtime's CPU provider starts: a convolution rounds what is below 0 another way than a pool.
SamePadding padding_of(const std::vector<Axis>& axes, bool lower, bool pool) {
  SamePadding out;
  for (const Axis& axis : axes) {
    const std::int64_t total = axis.total(), halved = total < 0 && !pool ? total + 1 : total;
    out.begin.push_back((lower ? halved + 1 : halved) / 2);
    out.end.push_back(halved - out.begin.back());
  }
  return out;
}

}  // namespace

bool SamePadding::starts_inside() const {
  return std::ranges::any_of(begin, [](std::int64_t pixels) { return pixels < 0; });
}

std::map<std::size_t, SamePadding> same_windows(const onnx::ModelHeader& header, std::string_view file,
                                                const onnx::FixedDims& dims) {
  std::map<std::size_t, SamePadding> out;
  const std::vector<Bytes> messages = onnx::node_messages(file);
  std::optional<onnx::Shapes> shapes;
  for (std::size_t i = 0; i < std::min(messages.size(), header.operators.size()); ++i) {
    const onnx::Operator& op = header.operators[i];
    if (!op.domain.empty() || (!is_pool(op) && op.type != "Conv")) continue;
    const onnx::Attributes attributes(messages[i]);
    const Bytes automatic = attributes.text("auto_pad");
    if (!automatic.starts_with("SAME")) continue;
    if (!shapes) shapes = onnx::shapes_of(header, file, dims);
    const std::vector<Axis> axes = axes_of(op, attributes, header, *shapes);
    if (std::ranges::any_of(axes, [](const Axis& axis) { return axis.total() < 0; }))
      out[i] = padding_of(axes, automatic == "SAME_LOWER", is_pool(op));
  }
  return out;
}

Windows windows_of(const onnx::Operator& op, Bytes message, const onnx::ModelHeader& header,
                   const onnx::Shapes& shapes) {
  const onnx::Attributes attributes(message);
  const std::vector<Axis> axes = axes_of(op, attributes, header, shapes);
  Windows out;
  for (const Axis& axis : axes) {
    out.kernel.push_back(axis.kernel);
    out.strides.push_back(axis.stride);
    out.dilations.push_back(axis.dilation);
  }
  const Bytes automatic = attributes.text("auto_pad");
  if (automatic.starts_with("SAME")) {
    out.padding = padding_of(axes, automatic == "SAME_LOWER", is_pool(op));
    for (auto* side : {&out.padding.begin, &out.padding.end})
      for (std::int64_t& pixels : *side) pixels = std::max<std::int64_t>(pixels, 0);
    return out;
  }
  const auto pads = automatic == "VALID" ? std::nullopt : attributes.numbers("pads");
  for (std::size_t i = 0; i < 2 * axes.size(); ++i) {
    const double pixels = pads && i < pads->size() ? (*pads)[i] : 0;
    const bool sane = pixels >= 0 && pixels <= static_cast<double>(kMostInWindow);
    (i < axes.size() ? out.padding.begin : out.padding.end)
        .push_back(sane ? static_cast<std::int64_t>(pixels) : 0);
  }
  return out;
}

}  // namespace sluice::htp
