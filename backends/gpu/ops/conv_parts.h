// What the launches of convolutions have in common.
#pragma once

#include <cstdint>
#include <vector>

#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/window.h"
#include "backends/gpu/plan/builder.h"

namespace sluice::gpu {

struct Shape2d {
  std::int64_t n, ic, oc, groups;
  Window w;
  std::int64_t pixels() const { return w.out[1] * w.out[2]; }
  std::int64_t tiles() const { return (w.out[2] + 3) / 4 * w.out[1]; }  // of 4 pixels of a row
};
Shape2d shape_of(const Graph& graph, const Node& node, bool transposed);

Dims kernel_dims(const Value& weights);
bool is_depthwise(const Shape2d& s);
// 1 x 1, stride 1, no padding.
bool is_point(const Shape2d& s);
// Whether the kernels on NC4HW4 do it: constant weights, at most two spatial axes.
bool packed_kernels_take(const Graph& graph, const Node& node);

// Output channels of a work item: as many as keep the sums apart that a pipeline wants, unless lanes stay
// idle, groups are so small that vectors read what most of their lanes do not need, or too few work items are
// left.
int lanes_for(const Builder& builder, const Shape2d& s);

// What follows the sum, into `y`: residual, slope or activation, factor and addend.
void append_finish(Builder& builder, std::vector<Argument>& arguments, SlotId y, const Epilogue& epilogue,
                   int lanes);
// Kernel, stride, begin, dilation.
void append_window(std::vector<Argument>& arguments, const Window& w, bool with_dilation);

}  // namespace sluice::gpu
