#include "quantize/fuse_gelu.h"

#include <gtest/gtest.h>

#include "quantize/raise_opset.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// x -> ... 1 + Erf(x / sqrt 2) as "s".
NetworkBuilder until_sum(bool divide) {
  NetworkBuilder b;
  b.input("x", {1, 8}).output("y", {1, 8});
  b.weight("root", {}, {divide ? 1.41421354f : 0.70710677f})
      .weight("one", {}, {1})
      .weight("half", {}, {0.5f});
  b.weight("two", {1}, {2});
  b.node(divide ? "Div" : "Mul", {"x", "root"}, {"r"});
  b.node("Erf", {"r"}, {"e"});
  b.node("Add", {"e", "one"}, {"s"});
  return b;
}

void expect_fused(pb::ModelProto model) {
  const Dims dims = {1, 8};
  const std::vector<float> x = some_numbers(dims, 3, 4.0f);
  const std::vector<float> before = run(model, dims, x);
  EXPECT_EQ(fuse_gelu(*model.mutable_graph()), 1);
  ASSERT_EQ(model.graph().node_size(), 1);
  EXPECT_EQ(model.graph().node(0).op_type(), "Gelu");
  ASSERT_TRUE(raise_opset(model, kGeluOpset).ok());
  const std::vector<float> after = run(model, dims, x);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5);
}

TEST(FuseGelu, TimesXTimesOneHalf) {
  NetworkBuilder b = until_sum(true);
  b.node("Mul", {"x", "s"}, {"m"});
  b.node("Mul", {"m", "half"}, {"y"});
  expect_fused(b.model);
}

TEST(FuseGelu, TimesXByTwo) {
  NetworkBuilder b = until_sum(false);
  b.node("Mul", {"s", "x"}, {"m"});
  b.node("Div", {"m", "two"}, {"y"});
  expect_fused(b.model);
}

TEST(FuseGelu, TimesOneHalfTimesX) {
  NetworkBuilder b = until_sum(false);
  b.node("Mul", {"half", "s"}, {"m"});
  b.node("Mul", {"m", "x"}, {"y"});
  expect_fused(b.model);
}

TEST(FuseGelu, TimesHalfOfX) {
  NetworkBuilder b = until_sum(true);
  b.node("Mul", {"x", "half"}, {"h"});
  b.node("Mul", {"h", "s"}, {"y"});
  expect_fused(b.model);
}

TEST(FuseGelu, OthersStay) {
  NetworkBuilder b = until_sum(true);
  b.node("Mul", {"x", "s"}, {"m"});
  b.node("Mul", {"m", "two"}, {"y"});
  EXPECT_EQ(fuse_gelu(*b.model.mutable_graph()), 0) << "twice, not half";
  NetworkBuilder c = until_sum(true);
  c.output("s", {1, 8});
  c.node("Mul", {"x", "s"}, {"m"});
  c.node("Mul", {"m", "half"}, {"y"});
  EXPECT_EQ(fuse_gelu(*c.model.mutable_graph()), 0) << "a part of it is an output";
}

}  // namespace
}  // namespace sluice::quantize
