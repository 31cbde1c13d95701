// What operators.cc lists: checks and lowerings, by file.
#pragma once

#include <cstdint>
#include <string>

#include "backends/gpu/ir/graph.h"
#include "backends/gpu/plan/builder.h"
#include "framework/core/status.h"

namespace sluice::gpu {

// conv.cc, conv_weights.cc
std::string check_conv(const Graph& graph, const Node& node);
std::string check_conv_transpose(const Graph& graph, const Node& node);
Status lower_conv(Builder& builder, const Node& node);
Status lower_conv_transpose(Builder& builder, const Node& node);
// Whether fusion may put `steps` behind this convolution: its weights are known and the packed kernels take
// it.
bool conv_can_finish(const Graph& graph, const Node& node);
// A chain that is_scaling (conv_weights.h), of a value that is at hand packed, as a depthwise convolution of
// one tap. False, and nothing is launched: its constants make no finite factors.
bool lower_scaling(Builder& builder, const Node& chain);
// Whether it can read its input where it lies (kernels/conv.cl: conv_first).
bool conv_is_first_layer(const Graph& graph, const Node& node);

// pool.cc
std::string check_pool(const Graph& graph, const Node& node);
std::string check_global_pool(const Graph& graph, const Node& node);
Status lower_pool(Builder& builder, const Node& node);
Status lower_global_pool(Builder& builder, const Node& node);

// elementwise.cc
std::string check_unary(const Graph& graph, const Node& node);
std::string check_binary(const Graph& graph, const Node& node);
std::string check_clip(const Graph& graph, const Node& node);
std::string check_batch_norm(const Graph& graph, const Node& node);
std::string check_quantize(const Graph& graph, const Node& node);
std::string check_cast(const Graph& graph, const Node& node);
Status lower_chain(Builder& builder, const Node& node);
Status lower_broadcast(Builder& builder, const Node& node);

// move.cc
std::string check_alias(const Graph& graph, const Node& node);
std::string check_concat(const Graph& graph, const Node& node);
std::string check_transpose(const Graph& graph, const Node& node);
std::string check_slice(const Graph& graph, const Node& node);
std::string check_split(const Graph& graph, const Node& node);
std::string check_pad(const Graph& graph, const Node& node);
std::string check_block(const Graph& graph, const Node& node);
std::string check_expand(const Graph& graph, const Node& node);
Status lower_alias(Builder& builder, const Node& node);
Status lower_concat(Builder& builder, const Node& node);
Status lower_transpose(Builder& builder, const Node& node);
Status lower_shuffle(Builder& builder, const Node& node);
Status lower_slice(Builder& builder, const Node& node);
Status lower_split(Builder& builder, const Node& node);
Status lower_pad(Builder& builder, const Node& node);
Status lower_depth_to_space(Builder& builder, const Node& node);
Status lower_space_to_depth(Builder& builder, const Node& node);
Status lower_expand(Builder& builder, const Node& node);

// resize.cc
std::string check_resize(const Graph& graph, const Node& node);
Status lower_resize(Builder& builder, const Node& node);

// matmul.cc
std::string check_matmul(const Graph& graph, const Node& node);
std::string check_gemm(const Graph& graph, const Node& node);
Status lower_matmul(Builder& builder, const Node& node);
Status lower_gemm(Builder& builder, const Node& node);

// rows.cc
std::string check_softmax(const Graph& graph, const Node& node);
std::string check_reduce(const Graph& graph, const Node& node);
std::string check_layer_norm(const Graph& graph, const Node& node);
std::string check_instance_norm(const Graph& graph, const Node& node);
Status lower_softmax(Builder& builder, const Node& node);
Status lower_reduce(Builder& builder, const Node& node);
Status lower_layer_norm(Builder& builder, const Node& node);
Status lower_instance_norm(Builder& builder, const Node& node);

// move.cc, for other files: `from` seen with `dims` and `strides` into `to` with `to_strides`, from offsets
// on.
struct View {
  SlotId slot = -1;
  Dims strides;
  std::int64_t offset = 0;
};
void launch_place(Builder& builder, const Dims& dims, const View& from, const View& to);
Dims dense_strides(const Dims& dims);

}  // namespace sluice::gpu
