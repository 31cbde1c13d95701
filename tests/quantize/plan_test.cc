// The HTP's rules, one network each.
#include "quantize/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

struct Planned {
  pb::GraphProto graph;
  QuantPlan plan;

  const Encoding& constant(const std::string& node, int input) const {
    for (const ConstantEncoding& c : plan.constants) {
      if (graph.node(c.node).name() == node && c.input == input) return c.encoding;
    }
    static const Encoding kNone;
    ADD_FAILURE() << node << " has no encoding for input " << input;
    return kNone;
  }
  int bits(const std::string& node) const {
    for (int n = 0; n < graph.node_size(); ++n) {
      if (graph.node(n).name() == node) return plan.bits[static_cast<std::size_t>(n)];
    }
    ADD_FAILURE() << "no node " << node;
    return -1;
  }
};

Planned planned(const pb::ModelProto& model, const Dims& input, const Scheme& scheme = {}) {
  RandomSamples samples(input, 3, 1);
  const auto statistics = collect(model, samples, {});
  EXPECT_TRUE(statistics.ok()) << statistics.status().message();
  Planned out{model.graph(), {}};
  absorb_clips(out.graph, {});
  auto plan = make_plan(out.graph, *statistics, scheme);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  if (plan.ok()) out.plan = std::move(*plan);
  return out;
}

// x -> Conv -> Relu -> y
NetworkBuilder convolution() {
  NetworkBuilder b;
  b.input("x", {1, 2, 4, 4}).random("w", {3, 2, 1, 1}, 1).random("b", {3}, 2).value("c", {1, 3, 4, 4});
  b.output("y", {1, 3, 4, 4});
  b.node("Conv", {"x", "w", "b"}, {"c"});
  b.node("Relu", {"c"}, {"y"});
  return b;
}

TEST(Plan, WeightsAreInt8PerOutputChannelAndBiasesInt32) {
  const Planned p = planned(convolution().model, {1, 2, 4, 4});
  const Encoding& weights = p.constant("Conv_c", 1);
  EXPECT_EQ(weights.element(), pb::TensorProto::INT8);
  EXPECT_EQ(weights.axis, 0);
  EXPECT_THAT(weights.zero_point, ::testing::ElementsAre(0, 0, 0));
  const Encoding& bias = p.constant("Conv_c", 2);
  EXPECT_EQ(bias.element(), pb::TensorProto::INT32);
  ASSERT_EQ(bias.scale.size(), 3u);
  for (std::size_t c = 0; c < 3; ++c)
    EXPECT_FLOAT_EQ(bias.scale[c], weights.scale[c] * p.plan.activations.at("x").scale[0]);
}

TEST(Plan, PerTensorIsOneScale) {
  const Planned p = planned(convolution().model, {1, 2, 4, 4}, {.per_channel = false});
  EXPECT_EQ(p.constant("Conv_c", 1).axis, -1);
  EXPECT_EQ(p.constant("Conv_c", 2).scale.size(), 1u);
}

TEST(Plan, ReluVanishesIntoTheEncodingBeforeIt) {
  const Planned p = planned(convolution().model, {1, 2, 4, 4});
  ASSERT_EQ(p.graph.node_size(), 1);
  EXPECT_EQ(p.graph.node(0).output(0), "y");
  EXPECT_EQ(p.plan.activations.at("y").zero_point[0], 0);
}

TEST(Plan, ReluStaysWhereOthersReadItsInput) {
  NetworkBuilder b = convolution();
  b.output("z", {1, 3, 4, 4});
  b.node("Neg", {"c"}, {"z"});
  EXPECT_EQ(planned(b.model, {1, 2, 4, 4}).graph.node_size(), 3);
}

TEST(Plan, ClipWithBoundsOnOneSideOfZeroStays) {
  NetworkBuilder b;
  b.input("x", {1, 4})
      .value("n", {1, 4})
      .weight("low", {}, {0.25f})
      .weight("high", {}, {0.5f})
      .output("y", {1, 4});
  b.node("Neg", {"x"}, {"n"});
  b.node("Clip", {"n", "low", "high"}, {"y"});
  EXPECT_EQ(planned(b.model, {1, 4}).graph.node_size(), 2);
}

TEST(Plan, WhatMovesNumbersSharesTheEncoding) {
  NetworkBuilder b;
  b.input("x", {1, 2, 4, 4}).value("p", {1, 2, 2, 2}).value("t", {1, 2, 2, 2}).output("y", {1, 2, 2, 2});
  add_ints(b.node("MaxPool", {"x"}, {"p"}), "kernel_shape", {3, 3});
  b.node("Transpose", {"p"}, {"t"});
  b.node("Neg", {"t"}, {"y"});
  const Planned p = planned(b.model, {1, 2, 4, 4});
  EXPECT_EQ(p.plan.activations.at("p"), p.plan.activations.at("x"));
  EXPECT_EQ(p.plan.activations.at("t"), p.plan.activations.at("x"));
  EXPECT_NE(p.plan.activations.at("y"), p.plan.activations.at("x"));
}

TEST(Plan, ASharedEncodingHoldsWhatPaddingAndOvershootAdd) {
  NetworkBuilder b;
  b.input("x", {1, 1, 4, 4}).weight("value", {}, {5}).value("p", {1, 1, 6, 6}).output("y", {1, 1, 6, 6});
  *b.model.mutable_graph()->add_initializer() = make_integers("pads", Dims{8}, Dims{0, 0, 1, 1, 0, 0, 1, 1});
  b.node("Pad", {"x", "pads", "value"}, {"p"});
  b.node("Neg", {"p"}, {"y"});
  EXPECT_GE(planned(b.model, {1, 1, 4, 4}).plan.activations.at("x").maximum(), 5.0f);

  NetworkBuilder c;
  c.input("x", {1, 1, 4, 4}).weight("scales", {4}, {1, 1, 2, 2}).value("r", {1, 1, 8, 8});
  c.output("y", {1, 1, 8, 8});
  set_attribute(c.node("Resize", {"x", "", "scales"}, {"r"}), "mode", std::string("cubic"));
  c.node("Neg", {"r"}, {"y"});
  const Planned p = planned(c.model, {1, 1, 4, 4});
  EXPECT_LT(p.plan.activations.at("x").minimum(), -1.0f) << "the samples lie in -1..1";
  EXPECT_EQ(p.plan.activations.at("x"), p.plan.activations.at("r"));
}

TEST(Plan, SigmoidAndTanhHaveTheScaleOfTheHtp) {
  NetworkBuilder b;
  b.input("x", {1, 4}).value("s", {1, 4}).output("y", {1, 4});
  b.node("Sigmoid", {"x"}, {"s"});
  b.node("Tanh", {"s"}, {"y"});
  for (const int bits : {8, 16}) {
    const Planned p = planned(b.model, {1, 4}, {.bits = bits});
    EXPECT_EQ(p.plan.activations.at("s"), sigmoid_encoding(bits));
    EXPECT_EQ(p.plan.activations.at("y"), tanh_encoding(bits));
  }
}

TEST(Plan, MatMulHasOneScaleAndGemmOnePerColumn) {
  NetworkBuilder b;
  b.input("x", {2, 4}).random("w", {4, 3}, 1).random("v", {3, 5}, 2).random("b", {5}, 3).value("m", {2, 3});
  b.output("y", {2, 5});
  b.node("MatMul", {"x", "w"}, {"m"});
  b.node("Gemm", {"m", "v", "b"}, {"y"});
  const Planned p = planned(b.model, {2, 4});
  EXPECT_EQ(p.constant("MatMul_m", 1).axis, -1);
  EXPECT_EQ(p.constant("MatMul_m", 1).element(), pb::TensorProto::INT8);
  EXPECT_EQ(p.constant("Gemm_y", 1).axis, 1);
  EXPECT_EQ(p.constant("Gemm_y", 2).scale.size(), 5u);
}

TEST(Plan, TransposedConvolutionsScaleAlongTheSecondDimension) {
  NetworkBuilder b;
  b.input("x", {1, 2, 3, 3}).random("w", {2, 4, 2, 2}, 1).output("y", {1, 4, 4, 4});
  b.node("ConvTranspose", {"x", "w"}, {"y"});
  EXPECT_EQ(planned(b.model, {1, 2, 3, 3}).constant("ConvTranspose_y", 1).axis, 1);
}

// With scales per channel the NPU computes these wrong.
TEST(Plan, TransposedConvolutionsInGroupsHaveOneScale) {
  NetworkBuilder b;
  b.input("x", {1, 4, 3, 3}).random("w", {4, 2, 2, 2}, 1).output("y", {1, 4, 4, 4});
  set_attribute(b.node("ConvTranspose", {"x", "w"}, {"y"}), "group", std::int64_t{2});
  EXPECT_EQ(planned(b.model, {1, 4, 3, 3}).constant("ConvTranspose_y", 1).axis, -1);
}

TEST(Plan, TheScaleOfALayerNormalisationIsUnsigned) {
  NetworkBuilder b(17);
  b.input("x", {1, 4}).weight("g", {4}, {0.5f, 1, 2, 1}).random("b", {4}, 2).output("y", {1, 4});
  b.node("LayerNormalization", {"x", "g", "b"}, {"y"});
  for (const int bits : {8, 16}) {
    const Planned p = planned(b.model, {1, 4}, {.bits = bits});
    EXPECT_EQ(p.constant("LayerNormalization_y", 1).element(), pb::TensorProto::UINT8);
    EXPECT_FLOAT_EQ(p.constant("LayerNormalization_y", 1).scale[0], 2.0f / 255);
    EXPECT_EQ(p.constant("LayerNormalization_y", 2).element(), pb::TensorProto::INT32);
  }
}

TEST(Plan, WhatTheNpuComputesWrongInSixteenBitsStaysAtEight) {
  NetworkBuilder b;
  b.input("x", {1, 4}).value("e", {1, 4}).output("y", {1, 4});
  b.node("Exp", {"x"}, {"e"});
  b.node("Log", {"e"}, {"y"});
  for (const Scheme& scheme : {Scheme{.bits = 16}, Scheme{.operator_bits = {{"Exp_e", 16}, {"Log_y", 16}}}}) {
    const Planned p = planned(b.model, {1, 4}, scheme);
    EXPECT_EQ(p.bits("Exp_e"), 16);
    EXPECT_EQ(p.bits("Log_y"), 8);
    EXPECT_EQ(p.plan.read_by("e", 1)->bits, 8);
    EXPECT_EQ(p.plan.activations.at("y").bits, 8);
  }
}

TEST(Plan, ConstantsOfElementwiseOperatorsAreAsWideAsActivations) {
  NetworkBuilder b;
  b.input("x", {1, 4}).weight("k", {4}, {-1, 2, 3, 4}).output("y", {1, 4});
  b.node("Mul", {"x", "k"}, {"y"});
  EXPECT_EQ(planned(b.model, {1, 4}, {.bits = 16}).constant("Mul_y", 1).element(), pb::TensorProto::UINT16);
}

TEST(Plan, ParametersStayFloat) {
  NetworkBuilder b;
  b.input("x", {1, 1, 2, 2}).weight("scales", {4}, {1, 1, 2, 2}).output("y", {1, 1, 4, 4});
  set_attribute(b.node("Resize", {"x", "", "scales"}, {"y"}), "mode", std::string("linear"));
  EXPECT_TRUE(planned(b.model, {1, 1, 2, 2}).plan.constants.empty());
}

TEST(Plan, OperatorsWithoutIntegerFormStayFloat) {
  NetworkBuilder b;
  b.input("x", {1, 4}).value("n", {1, 4}).value("e", {1, 4}).output("y", {1, 4});
  b.node("Neg", {"x"}, {"n"});
  b.node("Erf", {"n"}, {"e"});
  b.node("Neg", {"e"}, {"y"});
  const Planned p = planned(b.model, {1, 4});
  EXPECT_EQ(p.bits("Erf_e"), 0);
  EXPECT_TRUE(p.plan.activations.contains("e")) << "it is read by an integer operator";
}

TEST(Plan, ARaisedOperatorReadsAndWritesSixteenBits) {
  NetworkBuilder b;
  b.input("x", {1, 4}).value("n", {1, 4}).value("a", {1, 4}).output("y", {1, 4});
  b.node("Neg", {"x"}, {"n"});
  b.node("Abs", {"n"}, {"a"});
  b.node("Neg", {"a"}, {"y"});
  const Planned p = planned(b.model, {1, 4}, {.operator_bits = {{"Abs_a", 16}}});
  EXPECT_EQ(p.plan.activations.at("n").bits, 8);
  EXPECT_EQ(p.plan.converted.at("n").bits, 16);
  EXPECT_EQ(p.plan.activations.at("a").bits, 16);
  EXPECT_EQ(p.plan.converted.at("a").bits, 8);
  EXPECT_EQ(p.plan.read_by("n", 1)->bits, 16);
}

TEST(Plan, NothingToQuantiseIsAnError) {
  NetworkBuilder b;
  b.input("x", {1, 4}).output("y", {1, 4});
  b.node("Erf", {"x"}, {"y"});
  RandomSamples samples({1, 4}, 1, 1);
  const auto statistics = collect(b.model, samples, {});
  ASSERT_TRUE(statistics.ok());
  const auto plan = make_plan(b.model.graph(), *statistics, {});
  EXPECT_EQ(plan.status().code(), Code::kUnavailable);
  EXPECT_EQ(plan.status().message(),
            "none of the model's operators has an integer form that the NPU takes: Erf");
}

}  // namespace
}  // namespace sluice::quantize
