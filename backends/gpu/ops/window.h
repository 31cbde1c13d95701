// The sliding window of convolutions and pools, with auto_pad resolved.
#pragma once

#include <array>
#include <cstdint>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// Three spatial axes D, H, W; missing leading ones have size 1.
struct Window {
  std::array<std::int64_t, 3> in{1, 1, 1}, out{1, 1, 1}, kernel{1, 1, 1}, stride{1, 1, 1}, begin{0, 0, 0},
      end{0, 0, 0}, dilation{1, 1, 1};
};

// Of a Conv or a pool; `kernel` are the spatial sizes of the kernel, `x` and `y` the shapes of input and
// output.
Window window_of(const Node& node, const Dims& kernel, const Dims& x, const Dims& y);
// Of a ConvTranspose: begin and end as the operator's definition derives them from output_shape and auto_pad.
Window transposed_window_of(const Node& node, const Dims& kernel, const Dims& x, const Dims& y);

}  // namespace sluice::gpu
