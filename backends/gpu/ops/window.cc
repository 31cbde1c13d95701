#include "backends/gpu/ops/window.h"

#include <algorithm>

namespace sluice::gpu {
namespace {

struct Attributes {
  std::size_t spatial, skip;
  Dims strides, dilations, pads;
  std::string auto_pad;
};

Attributes read(const Node& node, const Dims& x) {
  Attributes a{.spatial = x.size() - 2,
               .skip = 3 - (x.size() - 2),
               .strides = {},
               .dilations = {},
               .pads = {},
               .auto_pad = {}};
  a.strides = node.integers("strides", Dims(a.spatial, 1));
  a.dilations = node.integers("dilations", Dims(a.spatial, 1));
  a.pads = node.integers("pads", Dims(2 * a.spatial, 0));
  a.auto_pad = node.text("auto_pad", "NOTSET");
  if (a.auto_pad != "NOTSET" && !a.auto_pad.empty()) a.pads.assign(2 * a.spatial, 0);
  return a;
}

void split(std::int64_t total, bool more_at_begin, std::int64_t& begin, std::int64_t& end) {
  begin = (more_at_begin ? total + 1 : total) / 2;
  end = total - begin;
}

// Below 0 where strides step over pixels that no window reads: windows then start inside the input. ONNX
// defines that for pools; a convolution starts where ONNX Runtime's CPU provider does.
std::int64_t same_padding(const Node& node, std::int64_t total) {
  const bool pool = node.op == "MaxPool" || node.op == "AveragePool";
  return total < 0 && !pool ? total + 1 : total;
}

Window common(const Attributes& a, const Dims& kernel, const Dims& x, const Dims& y) {
  Window w;
  for (std::size_t i = 0; i < a.spatial; ++i) {
    const std::size_t axis = a.skip + i;
    w.in[axis] = x[2 + i];
    w.out[axis] = y[2 + i];
    w.kernel[axis] = kernel[i];
    w.stride[axis] = a.strides[i];
    w.dilation[axis] = a.dilations[i];
    w.begin[axis] = a.pads[i];
    w.end[axis] = a.pads[a.spatial + i];
  }
  return w;
}

}  // namespace

Window window_of(const Node& node, const Dims& kernel, const Dims& x, const Dims& y) {
  const Attributes a = read(node, x);
  Window w = common(a, kernel, x, y);
  if (!a.auto_pad.starts_with("SAME")) return w;
  for (std::size_t axis = a.skip; axis < 3; ++axis) {
    const std::int64_t reach = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
    const std::int64_t total = (w.out[axis] - 1) * w.stride[axis] + reach - w.in[axis];
    split(same_padding(node, total), a.auto_pad == "SAME_LOWER", w.begin[axis], w.end[axis]);
  }
  return w;
}

Window transposed_window_of(const Node& node, const Dims& kernel, const Dims& x, const Dims& y) {
  const Attributes a = read(node, x);
  Window w = common(a, kernel, x, y);
  const bool derived = node.attributes.contains("output_shape") || a.auto_pad.starts_with("SAME");
  if (!derived) return w;
  const Dims extra = node.integers("output_padding", Dims(a.spatial, 0));
  for (std::size_t i = 0; i < a.spatial; ++i) {
    const std::size_t axis = a.skip + i;
    const std::int64_t reach = (w.kernel[axis] - 1) * w.dilation[axis] + 1;
    const std::int64_t total = w.stride[axis] * (w.in[axis] - 1) + extra[i] + reach - w.out[axis];
    split(std::max<std::int64_t>(total, 0), a.auto_pad != "SAME_UPPER", w.begin[axis], w.end[axis]);
  }
  return w;
}

}  // namespace sluice::gpu
