#include "quantize/fold_affine.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

void add_normalisation(NetworkBuilder& b, const std::string& input, const std::string& output,
                       std::int64_t channels) {
  const auto n = static_cast<std::size_t>(channels);
  b.random(output + "_gamma", {channels}, 11)
      .random(output + "_beta", {channels}, 12)
      .random(output + "_mean", {channels}, 13);
  std::vector<float> variance(n);
  for (std::size_t i = 0; i < n; ++i) variance[i] = 0.5f + static_cast<float>(i);
  b.weight(output + "_variance", {channels}, variance);
  b.node("BatchNormalization",
         {input, output + "_gamma", output + "_beta", output + "_mean", output + "_variance"}, {output});
}

void expect_folded(pb::ModelProto model, const Dims& input, int operators) {
  const std::vector<float> x = some_numbers(input, 3);
  const std::vector<float> before = run(model, input, x);
  const Status status = fold_affine(*model.mutable_graph());
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(model.graph().node_size(), operators);
  const std::vector<float> after = run(model, input, x);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i)
    EXPECT_NEAR(before[i], after[i], 1e-4 * (1 + std::abs(before[i])));
}

TEST(FoldAffine, NormalisationBehindAConvolution) {
  NetworkBuilder b;
  b.input("x", {1, 3, 5, 5}).random("w", {4, 3, 3, 3}, 1).value("c", {1, 4, 3, 3}).output("y", {1, 4, 3, 3});
  b.node("Conv", {"x", "w"}, {"c"});
  add_normalisation(b, "c", "y", 4);
  expect_folded(b.model, {1, 3, 5, 5}, 1);
}

TEST(FoldAffine, AlphaAndBetaOfAGemm) {
  NetworkBuilder b;
  b.input("x", {1, 4}).random("w", {4, 3}, 1).random("b", {1, 3}, 2).output("y", {1, 3});
  pb::NodeProto& gemm = b.node("Gemm", {"x", "w", "b"}, {"y"});
  add_float(gemm, "alpha", 0.5f);
  add_float(gemm, "beta", 2.0f);
  pb::ModelProto model = b.model;
  ASSERT_TRUE(fold_affine(*model.mutable_graph()).ok());
  EXPECT_EQ(model.graph().node(0).attribute_size(), 0);
  expect_folded(b.model, {1, 4}, 1);
}

TEST(FoldAffine, ChainBehindAGroupedTransposedConvolution) {
  NetworkBuilder b;
  b.input("x", {1, 4, 3, 3})
      .random("w", {4, 3, 2, 2}, 1)
      .random("b", {6}, 2)
      .random("shift", {1, 6, 1, 1}, 4);
  for (const char* name : {"c", "s"}) b.value(name, {1, 6, 4, 4});
  b.output("y", {1, 6, 4, 4});
  set_attribute(b.node("ConvTranspose", {"x", "w", "b"}, {"c"}), "group", 2);
  b.node("Add", {"shift", "c"}, {"s"});
  add_normalisation(b, "s", "y", 6);
  expect_folded(b.model, {1, 4, 3, 3}, 1);
}

TEST(FoldAffine, BehindAMatrixProduct) {
  NetworkBuilder b;
  b.input("x", {2, 5}).random("w", {3, 5}, 1).random("b", {3}, 2).value("g", {2, 3}).output("y", {2, 3});
  set_attribute(b.node("Gemm", {"x", "w", "b"}, {"g"}), "transB", 1);
  add_normalisation(b, "g", "y", 3);
  expect_folded(b.model, {2, 5}, 1);
}

TEST(FoldAffine, AloneItBecomesMulAndAdd) {
  NetworkBuilder b;
  b.input("x", {1, 3, 2, 2}).output("y", {1, 3, 2, 2});
  add_normalisation(b, "x", "y", 3);
  expect_folded(b.model, {1, 3, 2, 2}, 2);
}

TEST(FoldAffine, NotWhereOthersReadTheUnscaledResult) {
  NetworkBuilder b;
  b.input("x", {1, 2, 2, 2}).random("w", {2, 2, 1, 1}, 1).weight("k", {1}, {2.0f}).value("c", {1, 2, 2, 2});
  b.output("y", {1, 2, 2, 2}).output("z", {1, 2, 2, 2});
  b.node("Conv", {"x", "w"}, {"c"});
  b.node("Mul", {"c", "k"}, {"y"});
  b.node("Relu", {"c"}, {"z"});
  expect_folded(b.model, {1, 2, 2, 2}, 3);
}

TEST(FoldAffine, NotAlongAnotherDimension) {
  NetworkBuilder b;
  b.input("x", {1, 2, 2, 2}).random("w", {2, 2, 1, 1}, 1).random("k", {2}, 5).value("c", {1, 2, 2, 2});
  b.output("y", {1, 2, 2, 2});
  b.node("Conv", {"x", "w"}, {"c"});
  b.node("Mul", {"c", "k"}, {"y"});  // broadcasts along the last dimension
  expect_folded(b.model, {1, 2, 2, 2}, 2);
}

}  // namespace
}  // namespace sluice::quantize
