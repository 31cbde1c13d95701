// Which kernels a graph becomes, by shape and by kernel set, and how often its values change their layout:
// recipes alone, without a device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "backends/gpu/ir/simplify.h"
#include "backends/gpu/ops/operators.h"
#include "backends/gpu/plan/builder.h"
#include "tests/backends/gpu/graph_maker.h"

namespace sluice::gpu {
namespace {

using ::testing::ElementsAre;

constexpr int kFloat4 = 4, kWide = 16;

Recipe recipe_of(GraphMaker m, int lanes, bool half = false, int widest = 16) {
  simplify(m.graph);
  Builder builder(m.graph, half, lanes, widest);
  for (const ValueId id : m.graph.inputs) EXPECT_TRUE(builder.add_input(id).ok());
  for (const Node& node : m.graph.nodes) {
    builder.begin(node);
    const Status lowered = find_operator(node.op)->lower(builder, node);
    EXPECT_TRUE(lowered.ok()) << lowered.message();
  }
  for (const ValueId id : m.graph.outputs) EXPECT_TRUE(builder.add_output(id).ok());
  return std::move(builder).take();
}

std::vector<std::string> kernels_of(const Recipe& recipe) {
  std::vector<std::string> out;
  out.reserve(recipe.launches.size());
  for (const Launch& launch : recipe.launches) out.push_back(launch.kernel);
  return out;
}

// One convolution of `in` channels, `size` by `size`, kernel `k`, that other launches feed with packed
// values.
GraphMaker convolution(std::int64_t in, std::int64_t out, std::int64_t size, std::int64_t k,
                       std::map<std::string, Attribute> attributes = {}, std::int64_t group = 1) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, in, size, size});
  const ValueId pooled = m.node("MaxPool", {x}, {1, in, size, size}, {{"kernel_shape", Dims{1, 1}}});
  attributes["group"] = group;
  attributes["pads"] = Dims(4, k / 2);
  const auto strides = attributes.contains("strides") ? std::get<Dims>(attributes["strides"])[0] : 1;
  const std::int64_t to = (size - 1) / strides + 1;
  const ValueId y = m.node("Conv", {pooled, m.constant({out, in / group, k, k}), m.constant({out})},
                           {1, out, to, to}, attributes);
  m.graph.inputs = {x};
  m.graph.outputs = {y};
  return m;
}

// What the convolution itself became: behind the layout's change and the pool, before the layout's change
// back.
Launch launch_of(const GraphMaker& m, int lanes, int widest = 16) {
  const Recipe recipe = recipe_of(m, lanes, false, widest);
  EXPECT_EQ(recipe.launches.size(), 4u) << ::testing::PrintToString(kernels_of(recipe));
  return recipe.launches.at(2);
}

TEST(GpuKernelChoice, AConvolutionsKernelGoesByItsShape) {
  for (const int lanes : {kFloat4, kWide}) {
    SCOPED_TRACE(lanes);
    EXPECT_EQ(launch_of(convolution(32, 48, 16, 1), lanes).kernel, "conv1x1") << "a tiled matrix product";
    EXPECT_EQ(launch_of(convolution(32, 48, 16, 3), lanes).kernel, "conv") << "direct";
    EXPECT_EQ(launch_of(convolution(32, 48, 16, 1, {{"strides", Dims{2, 2}}}), lanes).kernel, "conv")
        << "1 x 1 with strides is no matrix product of neighbours";
    EXPECT_EQ(launch_of(convolution(32, 32, 16, 3, {}, 32), lanes).kernel, "depthwise3");
    EXPECT_EQ(launch_of(convolution(32, 32, 16, 5, {}, 32), lanes).kernel, "depthwise");
    EXPECT_EQ(launch_of(convolution(32, 32, 16, 3, {{"strides", Dims{2, 2}}}, 32), lanes).kernel,
              "depthwise");
    EXPECT_EQ(launch_of(convolution(32, 64, 16, 3, {}, 4), lanes).kernel, "conv") << "groups";
  }
}

// The channels that a work item makes: more of them read the input less often, as long as enough items are
// left.
TEST(GpuKernelChoice, HowManyChannelsAWorkItemMakesGoesByShapeAndSet) {
  EXPECT_EQ(launch_of(convolution(32, 64, 64, 1), kFloat4).lanes, 16);
  EXPECT_EQ(launch_of(convolution(32, 64, 64, 1), kFloat4, 8).lanes, 8)
      << "as many as the device's registers hold";
  EXPECT_EQ(launch_of(convolution(32, 64, 24, 1), kFloat4).lanes, 8) << "576 items of 16 would be too few";
  EXPECT_EQ(launch_of(convolution(32, 24, 64, 1), kFloat4).lanes, 8) << "of 2 x 16 a quarter would idle";
  EXPECT_EQ(launch_of(convolution(32, 64, 8, 1), kFloat4).lanes, 4) << "128 items of 8 would be too few";
  EXPECT_EQ(launch_of(convolution(32, 4, 128, 1), kFloat4).lanes, 4);
  EXPECT_EQ(launch_of(convolution(32, 64, 16, 1), kWide).lanes, 16);
  EXPECT_EQ(launch_of(convolution(32, 24, 16, 1), kWide).lanes, 24) << "of 2 x 16 a quarter would idle";
  EXPECT_EQ(launch_of(convolution(32, 8, 16, 1), kWide).lanes, 8);
  for (const int channels : {24, 32, 60, 64, 1000})
    EXPECT_EQ(launch_of(convolution(32, channels, 16, 1), kWide, 32).lanes, 32) << channels;
  EXPECT_EQ(launch_of(convolution(32, 16, 16, 1), kWide, 32).lanes, 16) << "half of 32 would idle";
  EXPECT_EQ(launch_of(convolution(32, 72, 16, 1), kWide, 32).lanes, 16) << "a quarter of 96";
  EXPECT_EQ(launch_of(convolution(32, 80, 16, 1), kWide, 32).lanes, 16) << "a sixth";
  EXPECT_EQ(launch_of(convolution(32, 64, 64, 1), kFloat4, 32).lanes, 16);
  EXPECT_EQ(launch_of(convolution(32, 32, 16, 3, {}, 4), kWide).lanes, 4) << "8 channels in each group";
}

// Pictures come as they are stored, NCHW or NHWC: read by strides, without a change of layout before.
TEST(GpuKernelChoice, AFirstLayerReadsThePictureAsItLies) {
  for (const bool nhwc : {false, true}) {
    GraphMaker m;
    const ValueId x = m.value("x", nhwc ? Dims{1, 32, 32, 3} : Dims{1, 3, 32, 32});
    ValueId picture = x;
    if (nhwc) picture = m.node("Transpose", {x}, {1, 3, 32, 32}, {{"perm", Dims{0, 3, 1, 2}}});
    m.graph.inputs = {x};
    m.graph.outputs = {
        m.node("Conv", {picture, m.constant({24, 3, 5, 5})}, {1, 24, 14, 14}, {{"strides", Dims{2, 2}}})};
    EXPECT_THAT(kernels_of(recipe_of(m, kFloat4)), ElementsAre("conv_first", "from_c4")) << nhwc;
  }
}

TEST(GpuKernelChoice, ConvolutionBiasNormalisationResidualAndActivationAreOneLaunch) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 8, 6, 6});
  const ValueId pooled = m.node("MaxPool", {x}, {1, 8, 6, 6}, {{"kernel_shape", Dims{1, 1}}});
  const ValueId conv = m.node("Conv", {pooled, m.constant({8, 8, 3, 3}), m.constant({8})}, {1, 8, 6, 6},
                              {{"pads", Dims{1, 1, 1, 1}}});
  const ValueId c = m.constant({8});
  const ValueId norm = m.node("BatchNormalization", {conv, c, c, c, c}, {1, 8, 6, 6});
  const ValueId sum = m.node("Add", {norm, pooled}, {1, 8, 6, 6});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("LeakyRelu", {sum}, {1, 8, 6, 6})};
  EXPECT_THAT(kernels_of(recipe_of(m, kFloat4)), ElementsAre("to_c4", "pool", "conv", "from_c4"));
}

TEST(GpuKernelChoice, AChainOfElementwiseOperatorsIsOneLaunch) {
  GraphMaker m;
  const ValueId x = m.value("x", {2, 6, 5, 5});
  ValueId y = m.node("Mul", {x, m.constant({6, 1, 1}, 2)}, {2, 6, 5, 5});
  for (const char* op : {"Relu", "Sqrt", "Neg", "Exp", "Sigmoid", "HardSwish", "Erf"})
    y = m.node(op, {y}, {2, 6, 5, 5});
  y = m.node("Sub", {m.constant({}, 3), y}, {2, 6, 5, 5});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Div", {y, x}, {2, 6, 5, 5})};
  EXPECT_THAT(kernels_of(recipe_of(m, kFloat4)), ElementsAre("chain"));
}

// However many convolutions there are and however often a value is read: one change at each edge.
TEST(GpuKernelChoice, TheLayoutChangesOnceAtEachEdge) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 6, 8, 8});
  const auto conv = [&](ValueId from) {
    return m.node("Conv", {from, m.constant({6, 6, 3, 3})}, {1, 6, 8, 8}, {{"pads", Dims{1, 1, 1, 1}}});
  };
  const ValueId left = conv(conv(x)), right = conv(x);  // x is read twice
  const ValueId pooled = m.node("AveragePool", {left}, {1, 6, 8, 8}, {{"kernel_shape", Dims{1, 1}}});
  const ValueId sum = m.node("Add", {pooled, right}, {1, 6, 8, 8});
  const ValueId y = m.node("Sigmoid", {m.node("Mul", {sum, left}, {1, 6, 8, 8})}, {1, 6, 8, 8});
  m.graph.inputs = {x};
  m.graph.outputs = {y};
  std::vector<std::string> changes;
  for (const Launch& launch : recipe_of(m, kFloat4).launches)
    if (launch.unit == "layout") changes.push_back(launch.kernel);
  EXPECT_THAT(changes, ElementsAre("to_c4", "from_c4"));
}

// DenseNet: each layer's channels behind those that are there, normalised anew before the next.
TEST(GpuKernelChoice, ChannelsAreAppendedWhereTheFirstOnesLie) {
  GraphMaker m;
  const Dims four = {1, 4, 8, 8}, eight = {1, 8, 8, 8}, twelve = {1, 12, 8, 8};
  const auto conv = [&](ValueId from, std::int64_t channels, const Dims& out) {
    return m.node("Conv", {from, m.constant({out[1], channels, 1, 1})}, out);
  };
  const std::map<std::string, Attribute> channels = {{"axis", std::int64_t{1}}};
  const ValueId x = m.value("x", four);
  const ValueId first = conv(x, 4, four);
  const ValueId second = m.node("Concat", {first, conv(first, 4, four)}, eight, channels);
  const ValueId third = m.node("Concat", {second, conv(second, 8, four)}, twelve, channels);
  const ValueId other = m.node("Concat", {second, first}, twelve, channels);  // its place is taken
  const ValueId twice = m.node("Concat", {first, first}, eight, channels);
  m.graph.inputs = {x};
  m.graph.outputs = {conv(third, 12, four), conv(other, 12, four), conv(twice, 8, four)};
  const Recipe recipe = recipe_of(m, kFloat4);
  EXPECT_THAT(kernels_of(recipe), ElementsAre("to_c4", "conv1x1", "conv1x1", "place4", "conv1x1", "place4",
                                              "place4", "place4", "place4", "place4", "conv1x1", "conv1x1",
                                              "conv1x1", "from_c4", "from_c4", "from_c4"));
  const auto written = [&](std::size_t launch) {
    for (const Argument& argument : recipe.launches[launch].arguments)
      if (const auto* writes = std::get_if<Writes>(&argument)) return writes->slot;
    return -1;
  };
  EXPECT_EQ(written(3), written(1));
  EXPECT_EQ(written(5), written(1));
  EXPECT_NE(written(6), written(1));
  EXPECT_NE(written(8), written(1));
  EXPECT_EQ(recipe.slots[static_cast<std::size_t>(written(1))].bytes, 12u * 8 * 8 * sizeof(float));
}

TEST(GpuKernelChoice, ConstantsPerChannelAreADepthwiseConvolution) {
  const auto kernel_of = [](float factor, const char* last) {
    GraphMaker m;
    const Dims dims = {1, 6, 5, 7};
    const ValueId x = m.value("x", dims);
    const ValueId pooled = m.node("MaxPool", {x}, dims, {{"kernel_shape", Dims{1, 1}}});
    const ValueId scaled = m.node("Mul", {pooled, m.constant({6, 1, 1}, factor)}, dims);
    m.graph.inputs = {x};
    m.graph.outputs = {m.node(last, {m.node("Add", {scaled, m.constant({6, 1, 1})}, dims)}, dims)};
    return recipe_of(m, kFloat4).launches.at(2).kernel;
  };
  EXPECT_EQ(kernel_of(2, "Relu"), "depthwise");
  EXPECT_EQ(kernel_of(2, "Erf"), "chain") << "no activation of convolutions";
  EXPECT_EQ(kernel_of(std::numeric_limits<float>::infinity(), "Relu"), "chain");
}

// What a matrix product reads of a constant lies ready: only a side that the run brings is packed by a
// launch.
TEST(GpuKernelChoice, WeightsArePackedWhenTheModelIsCompiled) {
  for (const bool constant : {true, false}) {
    GraphMaker m;
    const ValueId x = m.value("x", {5, 7});
    const ValueId w = constant ? m.constant({7, 9}) : m.value("w", {7, 9});
    m.graph.inputs = {x};
    if (!constant) m.graph.inputs.push_back(w);
    m.graph.outputs = {m.node("MatMul", {x, w}, {5, 9})};
    const auto kernels = kernels_of(recipe_of(m, kFloat4));
    EXPECT_EQ(std::ranges::count(kernels, "pack"), constant ? 0 : 1);
    EXPECT_EQ(kernels.back(), "matmul");
  }
  for (const Launch& launch : recipe_of(convolution(32, 48, 16, 3), kFloat4).launches)
    EXPECT_TRUE(launch.unit == "layout" || launch.unit == "pool" || launch.unit == "conv") << launch.unit;
}

// What a launch reads and writes as float16, by launch.
std::vector<std::string> halves_of(const Recipe& recipe) {
  std::vector<std::string> out;
  out.reserve(recipe.launches.size());
  for (const Launch& launch : recipe.launches)
    out.push_back(launch.kernel + (launch.half_in ? " in" : "") + (launch.half_out ? " out" : "") +
                  (launch.half_weights ? " weights" : ""));
  return out;
}

// Strided twice: 16 channels of 32 x 32, then a quarter, then a sixteenth of its elements.
GraphMaker shrinking() {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 3, 32, 32});
  const auto conv = [&](ValueId from, std::int64_t channels, std::int64_t size, std::int64_t stride) {
    return m.node("Conv", {from, m.constant({16, channels, 3, 3}), m.constant({16})}, {1, 16, size, size},
                  {{"pads", Dims{1, 1, 1, 1}}, {"strides", Dims{stride, stride}}});
  };
  m.graph.inputs = {x};
  m.graph.outputs = {conv(conv(conv(conv(x, 3, 32, 1), 16, 16, 2), 16, 8, 2), 16, 8, 1)};
  return m;
}

TEST(GpuStorage, LargeTensorsAreFloat16AndSmallOnesAndPicturesFloat32) {
  const Recipe recipe = recipe_of(shrinking(), kFloat4, true);
  EXPECT_THAT(halves_of(recipe), ElementsAre("conv_first out", "conv in out", "conv in", "conv", "from_c4"));
  EXPECT_EQ(recipe.slots[static_cast<std::size_t>(recipe.inputs[0].slot)].bytes,
            3u * 32 * 32 * sizeof(float));
  std::vector<std::size_t> written;
  for (const Launch& launch : recipe.launches)
    for (const Argument& argument : launch.arguments)
      if (const auto* writes = std::get_if<Writes>(&argument))
        written.push_back(recipe.slots[static_cast<std::size_t>(writes->slot)].bytes);
  EXPECT_THAT(written, ElementsAre(16u * 32 * 32 * 2, 16u * 16 * 16 * 2, 16u * 8 * 8 * 4, 16u * 8 * 8 * 4,
                                   16u * 8 * 8 * 4));
  for (const std::string& launch : halves_of(recipe_of(shrinking(), kFloat4)))
    EXPECT_EQ(launch.find(' '), launch.npos) << launch;
}

// Their biases stay float32, as small weights do.
TEST(GpuStorage, WeightsAreFloat16WhereTheirMemoryCounts) {
  const auto of_channels = [](std::int64_t channels, bool half) {
    const GraphMaker m = convolution(512, channels, 4, 1);
    const Recipe recipe = recipe_of(m, kFloat4, half);
    const Launch& launch = recipe.launches.at(2);
    std::vector<std::size_t> bytes;
    for (const std::size_t i : {1, 2})
      bytes.push_back(
          recipe.slots[static_cast<std::size_t>(std::get<Reads>(launch.arguments[i]).slot)].bytes);
    return std::pair(launch.half_weights, bytes);
  };
  EXPECT_EQ(of_channels(512, true), std::pair(true, std::vector<std::size_t>{512 * 512 * 2, 512 * 4}));
  EXPECT_EQ(of_channels(508, true), std::pair(false, std::vector<std::size_t>{512 * 508 * 4, 512 * 4}));
  EXPECT_EQ(of_channels(512, false), std::pair(false, std::vector<std::size_t>{512 * 512 * 4, 512 * 4}));
}

// A launch reads one element type: what is at hand in the other one is copied.
TEST(GpuStorage, WhatIsAddedHasTheTypeOfTheSum) {
  GraphMaker m;
  const Dims dims = {1, 8, 6, 6};
  const ValueId x = m.value("x", dims);
  const ValueId conv = m.node("Conv", {x, m.constant({8, 8, 1, 1})}, dims);
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Add", {conv, x}, dims)};
  EXPECT_THAT(halves_of(recipe_of(m, kFloat4, true)),
              ElementsAre("to_c4", "enter out", "conv1x1 out", "from_c4 in"));
}

}  // namespace
}  // namespace sluice::gpu
