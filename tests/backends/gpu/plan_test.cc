// What can be held without a device: shared memory, elementwise chains, fusion, partitions, windows, resize
// tables.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "backends/gpu/device/kernel_sources.h"
#include "backends/gpu/ep/partition.h"
#include "backends/gpu/ir/chains.h"
#include "backends/gpu/ir/simplify.h"
#include "backends/gpu/kernels/opcodes.h"
#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/resize_taps.h"
#include "backends/gpu/plan/memory.h"
#include "backends/gpu/plan/tuning.h"
#include "tests/backends/gpu/graph_maker.h"

namespace sluice::gpu {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;

std::vector<int> codes(const Node& node) {
  std::vector<int> out;
  out.reserve(node.steps.size());
  for (const ChainStep& step : node.steps) out.push_back(step.op);
  return out;
}

TEST(GpuMemoryPlan, NoTwoLivingSlotsOverlapAndAChainNeedsTwo) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE("round " + std::to_string(round) + " of seed 7");
    Recipe recipe;
    const int count = 3 + static_cast<int>(random() % 20);
    for (int i = 0; i <= count; ++i)
      recipe.slots.push_back({.bytes = 64 * (1 + random() % 50), .constant = {}});
    std::vector<int> first(recipe.slots.size(), -1), last(recipe.slots.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int from = static_cast<int>(random() % static_cast<unsigned>(i + 1));
      recipe.launches.push_back({"u", "k", {Reads{from}, Writes{i + 1}}, {1, 1, 1}});
      last[static_cast<std::size_t>(from)] = i;
      const std::size_t written = static_cast<std::size_t>(i) + 1;
      first[written] = last[written] = i;
    }
    recipe.inputs = {{.slot = 0}};
    recipe.outputs = {{.slot = count}};
    last.back() = count;
    const MemoryPlan plan = plan_memory(recipe, 128);
    for (std::size_t a = 0; a < recipe.slots.size(); ++a)
      for (std::size_t b = a + 1; b < recipe.slots.size(); ++b) {
        if (first[a] > last[b] || first[b] > last[a]) continue;
        const bool apart = plan.offsets[a] + recipe.slots[a].bytes <= plan.offsets[b] ||
                           plan.offsets[b] + recipe.slots[b].bytes <= plan.offsets[a];
        EXPECT_TRUE(apart) << "slots " << a << " and " << b;
      }
    EXPECT_LE(plan.arena, plan.unshared);
  }
}

TEST(GpuMemoryPlan, AChainOfEqualTensorsNeedsTwoOfThem) {
  Recipe recipe;
  for (int i = 0; i < 10; ++i) recipe.slots.push_back({.bytes = 1024, .constant = {}});
  for (int i = 0; i < 9; ++i) recipe.launches.push_back({"u", "k", {Reads{i}, Writes{i + 1}}, {1, 1, 1}});
  recipe.inputs = {{.slot = 0}};
  recipe.outputs = {{.slot = 9}};
  const MemoryPlan plan = plan_memory(recipe, 128);
  EXPECT_EQ(plan.arena, 2048u);
  EXPECT_EQ(plan.unshared, 10240u);
}

TEST(GpuTuning, IsForOneRecipeOnly) {
  Recipe recipe;
  recipe.lanes = 16;
  recipe.launches = {{"u", "k", {3}, {100, 4, 1}}, {"u", "l", {4}, {7, 1, 1}}};
  const Tuning tuning{.lanes = 16, .groups = {{32, 2}, {16, 1}}};
  EXPECT_EQ(read_tuning(text_of(tuning)), tuning);
  ASSERT_TRUE(apply(tuning, recipe));
  EXPECT_THAT(recipe.launches[0].group, ElementsAre(32u, 2u));
  EXPECT_FALSE(apply({.lanes = 4, .groups = tuning.groups}, recipe)) << "another kernel set";
  EXPECT_FALSE(apply({.lanes = 16, .groups = {{32, 2}}}, recipe)) << "another number of launches";
  EXPECT_FALSE(apply({.lanes = 16, .groups = {{32, 3}, {16, 1}}}, recipe)) << "3 does not divide 4";
  EXPECT_THAT(recipe.launches[0].group, ElementsAre(32u, 2u)) << "nothing was changed";
  recipe.launches[0].group_fixed = true;
  EXPECT_TRUE(apply(tuning, recipe)) << "the same group";
  EXPECT_FALSE(apply({.lanes = 16, .groups = {{64, 2}, {16, 1}}}, recipe)) << "the kernel counts on another";
  for (const char* text : {"", "4", "5 0", "16 2 32 2 16", "4 1 0 1", "4 1 99999999 1", "4 99999999999 1 1"})
    EXPECT_FALSE(read_tuning(text)) << text;
  Recipe other = recipe;
  other.launches[1].arguments = {5};
  EXPECT_NE(signature_of(other), signature_of(recipe));
}

TEST(GpuChains, HowAnOperandBroadcasts) {
  const Dims out = {2, 3, 4, 5};
  const auto cycle = [&](const Dims& operand) {
    const auto found = cycle_of(operand, out);
    return found ? std::vector<std::int64_t>{found->inner, found->count} : std::vector<std::int64_t>{};
  };
  EXPECT_THAT(cycle({}), ElementsAre(120, 1));
  EXPECT_THAT(cycle({5}), ElementsAre(1, 5));
  EXPECT_THAT(cycle({3, 1, 1}), ElementsAre(20, 3));
  EXPECT_THAT(cycle({1, 3, 1, 1}), ElementsAre(20, 3));
  EXPECT_THAT(cycle({2, 3, 1, 1}), ElementsAre(20, 6));
  EXPECT_THAT(cycle({2, 3, 4, 5}), ElementsAre(1, 120));
  EXPECT_THAT(cycle({1, 1, 2, 3, 4, 5}), ElementsAre(1, 120));
  EXPECT_TRUE(cycle({3, 1, 5}).empty()) << "a gap is no cycle";
  EXPECT_TRUE(cycle({2, 1, 4, 1}).empty());
}

TEST(GpuFusion, ConvolutionNormalisationResidualAndActivationAreOneNode) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 8, 4, 4});
  const ValueId w = m.constant({8, 8, 1, 1});
  const ValueId conv = m.node("Conv", {x, w}, {1, 8, 4, 4});
  const ValueId c = m.constant({8});
  const ValueId norm = m.node("BatchNormalization", {conv, c, c, c, c}, {1, 8, 4, 4});
  const ValueId sum = m.node("Add", {x, norm}, {1, 8, 4, 4});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Relu", {sum}, {1, 8, 4, 4})};
  simplify(m.graph);
  ASSERT_THAT(m.operators(), ElementsAre("Conv"));
  EXPECT_THAT(codes(m.graph.nodes[0]), ElementsAre(OP_MUL, OP_ADD, OP_ADD, OP_RELU));
  EXPECT_EQ(m.graph.nodes[0].outputs, m.graph.outputs);
}

TEST(GpuFusion, AResidualThatComesLaterMovesTheConvolutionBehindIt) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 8, 4, 4});
  const ValueId w = m.constant({8, 8, 1, 1});
  const ValueId main = m.node("Conv", {x, w}, {1, 8, 4, 4});
  const ValueId shortcut = m.node("MaxPool", {x}, {1, 8, 4, 4});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Add", {main, shortcut}, {1, 8, 4, 4})};
  simplify(m.graph);
  EXPECT_THAT(m.operators(), ElementsAre("MaxPool", "Conv"));
}

TEST(GpuFusion, AValueThatSomebodyElseReadsIsKept) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 8, 4, 4});
  const ValueId w = m.constant({8, 8, 1, 1});
  const ValueId conv = m.node("Conv", {x, w}, {1, 8, 4, 4});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Relu", {conv}, {1, 8, 4, 4}), conv};
  simplify(m.graph);
  EXPECT_THAT(m.operators(), ElementsAre("Conv", "Chain"));
}

TEST(GpuFusion, GatedActivationsAreRecognised) {
  for (const char* gate : {"Sigmoid", "HardSigmoid"}) {
    GraphMaker m;
    const ValueId x = m.value("x", {1, 8, 4, 4});
    const ValueId conv = m.node("Conv", {x, m.constant({8, 8, 1, 1})}, {1, 8, 4, 4});
    const ValueId opened = m.node(gate, {conv}, {1, 8, 4, 4});
    m.graph.inputs = {x};
    m.graph.outputs = {m.node("Mul", {conv, opened}, {1, 8, 4, 4})};
    simplify(m.graph);
    ASSERT_THAT(m.operators(), ElementsAre("Conv")) << gate;
    EXPECT_THAT(codes(m.graph.nodes[0]), ElementsAre(gate[0] == 'S' ? OP_SILU : OP_HARD_SWISH));
  }
}

TEST(GpuFusion, ConstantsForAllChannelsFollowAnActivationInTheConvolution) {
  const auto made = [](const char* op, const Dims& weights, const Dims& constant) {
    GraphMaker m;
    const Dims dims = op == std::string("Gemm") ? Dims{4, 8} : Dims{1, 8, 4, 4};
    const ValueId x = m.value("x", dims);
    const ValueId sums = m.node(op, {x, m.constant(weights)}, dims);
    const ValueId added = m.node("Add", {m.node("Relu", {sums}, dims), m.constant(constant, 6)}, dims);
    m.graph.inputs = {x};
    m.graph.outputs = {
        m.node("Div", {m.node("Sub", {added, m.constant({1}, 2)}, dims), m.constant({}, 4)}, dims)};
    simplify(m.graph);
    return m;
  };
  const GraphMaker joined = made("Conv", {8, 8, 1, 1}, {});
  ASSERT_THAT(joined.operators(), ElementsAre("Conv"));
  ASSERT_THAT(codes(joined.graph.nodes[0]), ElementsAre(OP_RELU, OP_ADD, OP_SUB, OP_DIV));
  const Epilogue epilogue = fold_weights(joined.graph, joined.graph.nodes[0], 8).epilogue;
  EXPECT_EQ(epilogue.act, OP_RELU);
  EXPECT_EQ(epilogue.factor, 0.25F);
  EXPECT_EQ(epilogue.addend, 1.0F);
  EXPECT_THAT(made("Conv", {8, 8, 1, 1}, {8, 1, 1}).operators(), ElementsAre("Conv", "Chain"))
      << "by channel";
  EXPECT_THAT(made("Gemm", {8, 8}, {}).operators(), ElementsAre("Gemm", "Chain"));
}

// A sum takes the side that can still take a residual, not the one that is behind its activation.
TEST(GpuFusion, AConvolutionBehindItsActivationIsTheOthersResidual) {
  GraphMaker m;
  const Dims dims = {1, 8, 4, 4};
  const ValueId x = m.value("x", dims);
  const ValueId closed = m.node("Relu", {m.node("Conv", {x, m.constant({8, 8, 1, 1})}, dims)}, dims);
  const ValueId open = m.node("Conv", {x, m.constant({8, 8, 1, 1})}, dims);
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Add", {closed, open}, dims)};
  simplify(m.graph);
  ASSERT_THAT(m.operators(), ElementsAre("Conv", "Conv"));
  EXPECT_EQ(m.graph.nodes[1].steps[0].operand, closed);
}

// More constants than a launch has operands: a normalisation and a scale, as Caffe2 writes them.
TEST(GpuFusion, ConstantsPerChannelBecomeOneFactorAndOneAddend) {
  const auto made = [](float factor) {
    GraphMaker m;
    const Dims dims = {1, 6, 5, 7};
    const ValueId x = m.value("x", dims), two = m.constant({6}, 2);
    const ValueId normal = m.node("BatchNormalization", {x, two, two, two, m.constant({6}, 4)}, dims);
    m.graph.nodes.back().attributes["epsilon"] = 0.0F;
    const ValueId scaled = m.node("Mul", {normal, m.constant({6, 1, 1}, factor)}, dims);
    const ValueId sum = m.node("Add", {scaled, m.constant({6, 1, 1}, 1)}, dims);
    m.graph.inputs = {x};
    m.graph.outputs = {m.node("Relu", {sum}, dims)};
    simplify(m.graph);
    return m;
  };
  const GraphMaker joined = made(3);
  ASSERT_THAT(joined.operators(), ElementsAre("Chain"));
  const Node& chain = joined.graph.nodes[0];
  ASSERT_THAT(codes(chain), ElementsAre(OP_MUL, OP_ADD, OP_RELU));
  EXPECT_THAT(constant_floats(joined.graph.value(chain.steps[0].operand)), Optional(Each(3.0F)));
  EXPECT_THAT(constant_floats(joined.graph.value(chain.steps[1].operand)), Optional(Each(1.0F)));
  EXPECT_THAT(made(std::numeric_limits<float>::infinity()).operators(), ElementsAre("Chain", "Chain"));
}

TEST(GpuFusion, ZeroChannelsOfAResidualAreNotMade) {
  GraphMaker m;
  const ValueId x = m.value("x", {1, 6, 4, 4});
  const ValueId wider = m.node("Concat", {x, m.constant({1, 2, 4, 4}, 0)}, {1, 8, 4, 4});
  m.graph.nodes.back().attributes["axis"] = std::int64_t{1};
  const ValueId conv = m.node("Conv", {x, m.constant({8, 6, 1, 1})}, {1, 8, 4, 4});
  m.graph.inputs = {x};
  m.graph.outputs = {m.node("Add", {wider, conv}, {1, 8, 4, 4})};
  simplify(m.graph);
  ASSERT_THAT(m.operators(), ElementsAre("Conv"));
  EXPECT_EQ(m.graph.nodes[0].steps[0].operand, x);
}

TEST(GpuFusion, AChannelShuffleIsOneNode) {
  const auto shuffled = [](std::int64_t c, const Dims& apart, const Dims& order, bool read_between) {
    GraphMaker m;
    const ValueId x = m.value("x", {2, c, 5, 7});
    const ValueId split = m.node("Reshape", {x, m.constant({5})}, apart);
    Dims swapped;
    for (const std::int64_t axis : order) swapped.push_back(apart[static_cast<std::size_t>(axis)]);
    const ValueId swap = m.node("Transpose", {split}, swapped);
    m.graph.nodes.back().attributes["perm"] = order;
    const ValueId y = m.node("Reshape", {swap, m.constant({4})}, {2, c, 5, 7});
    m.graph.outputs = {y};
    if (read_between) m.graph.outputs.push_back(split);
    simplify(m.graph);
    return m;
  };
  const GraphMaker taken = shuffled(12, {2, 3, 4, 5, 7}, {0, 2, 1, 3, 4}, false);
  ASSERT_THAT(taken.operators(), ElementsAre("ShuffleChannels"));
  EXPECT_EQ(taken.graph.nodes[0].integer("groups", 0), 3);
  EXPECT_THAT(shuffled(12, {2, 3, 4, 5, 7}, {0, 2, 1, 3, 4}, true).operators(),
              ElementsAre("Reshape", "ShuffleChannels"));
  EXPECT_THAT(shuffled(12, {2, 3, 4, 5, 7}, {0, 2, 1, 4, 3}, false).operators(),
              ElementsAre("Reshape", "Transpose", "Reshape"));
  EXPECT_THAT(shuffled(15, {2, 15, 5, 1, 7}, {0, 2, 1, 3, 4}, false).operators(),
              ElementsAre("Reshape", "Transpose", "Reshape"));
}

TEST(GpuPartition, ClustersAreConvexAndRefusalsSayWhy) {
  GraphMaker m;
  const ValueId x = m.value("x", {4});
  const ValueId a = m.node("Relu", {x}, {4});
  const ValueId b = m.node("Unknown", {a}, {4});
  const ValueId c = m.node("Add", {a, b}, {4});
  const ValueId unshaped = m.node("Relu", {c}, {4});
  m.graph.value(unshaped).known = false;
  const Partition parts = partition(m.graph);
  EXPECT_THAT(parts.clusters, ElementsAre(ElementsAre(0u), ElementsAre(2u)));
  EXPECT_THAT(parts.refusals, ElementsAre(HasSubstr("(Unknown) is no operator of this backend"),
                                          HasSubstr("whose shape is not fixed")));
}

TEST(GpuResize, TapsOfTheModes) {
  const auto linear =
      resize_taps({.mode = "linear", .coordinates = "half_pixel"}, {.in = 2, .out = 4, .scale = 2});
  EXPECT_EQ(linear.taps, 2);
  EXPECT_THAT(linear.weight, ElementsAre(1, 0, 0.75F, 0.25F, 0.25F, 0.75F, 1, 0));
  const auto nearest = resize_taps({.mode = "nearest", .coordinates = "asymmetric", .nearest = "floor"},
                                   {.in = 2, .out = 4, .scale = 2});
  EXPECT_THAT(nearest.index, ElementsAre(0, 0, 1, 1));
}

// What a model does not launch is not loaded with what it does: a driver reads all of a program.
TEST(GpuKernels, TheHeavyOnesAreProgramsOfTheirOwn) {
  const auto kernels_of = [](std::string_view text) {
    constexpr std::string_view kWord = "__kernel void ";
    int count = 0;
    for (auto at = text.find(kWord); at != text.npos; at = text.find(kWord, at + 1)) ++count;
    return count;
  };
  int heavy = 0;
  for (const KernelSource& source : kernel_sources()) {
    if (!source.unit.starts_with("conv") && source.unit != "separable") continue;
    EXPECT_EQ(kernels_of(source.text), 1) << source.unit;
    ++heavy;
  }
  EXPECT_EQ(heavy, 5);
}

}  // namespace
}  // namespace sluice::gpu
