// Which kernels a graph becomes, by shape and by kernel set, and how often its values change their layout:
// recipes alone, without a device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "backends/gpu/ir/simplify.h"
#include "backends/gpu/ops/operators.h"
#include "backends/gpu/plan/builder.h"
#include "tests/backends/gpu/graph_maker.h"

namespace sluice::gpu {
namespace {

using ::testing::ElementsAre;

constexpr int kFloat4 = 4, kWide = 16;

Recipe recipe_of(GraphMaker m, int lanes, bool half = false) {
  simplify(m.graph);
  Builder builder(m.graph, half, lanes);
  for (const ValueId id : m.graph.inputs) EXPECT_TRUE(builder.add_input(id).ok());
  for (const Node& node : m.graph.nodes) {
    const Status lowered = find_operator(node.op)->lower(builder, node);
    EXPECT_TRUE(lowered.ok()) << lowered.message();
  }
  for (const ValueId id : m.graph.outputs) EXPECT_TRUE(builder.add_output(id).ok());
  return std::move(builder).take();
}

std::vector<std::string> kernels_of(const Recipe& recipe) {
  std::vector<std::string> out;
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
Launch launch_of(const GraphMaker& m, int lanes) {
  const Recipe recipe = recipe_of(m, lanes);
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
  EXPECT_EQ(launch_of(convolution(32, 64, 64, 1), kFloat4).lanes, 8);
  EXPECT_EQ(launch_of(convolution(32, 64, 8, 1), kFloat4).lanes, 4) << "128 items of 8 would be too few";
  EXPECT_EQ(launch_of(convolution(32, 4, 128, 1), kFloat4).lanes, 4);
  EXPECT_EQ(launch_of(convolution(32, 64, 16, 1), kWide).lanes, 16);
  EXPECT_EQ(launch_of(convolution(32, 24, 16, 1), kWide).lanes, 24) << "of 2 x 16 a quarter would idle";
  EXPECT_EQ(launch_of(convolution(32, 8, 16, 1), kWide).lanes, 8);
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

TEST(GpuKernelChoice, HalfOfTheBytesHoldFloat16) {
  const auto bytes = [](bool half) {
    std::size_t activations = 0, weights = 0;
    for (const Slot& slot : recipe_of(convolution(32, 48, 16, 3), kFloat4, half).slots)
      (slot.constant.empty() ? activations : weights) += slot.bytes;
    return std::pair(activations, weights);
  };
  const auto [wide, wide_weights] = bytes(false);
  const auto [half, half_weights] = bytes(true);
  EXPECT_LT(half_weights * 10, wide_weights * 6) << "tables of numbers stay";
  // The host's side of the edges is float32 in both.
  const std::size_t edges = (32 + 48) * 16 * 16 * sizeof(float);
  EXPECT_EQ(2 * (half - edges), wide);
}

}  // namespace
}  // namespace sluice::gpu
