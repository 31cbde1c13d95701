#include "quantize/equalize.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// Depthwise -> PRelu -> pointwise -> Relu -> convolution, with channels of very different ranges.
NetworkBuilder uneven() {
  NetworkBuilder b;
  b.input("x", {1, 4, 6, 6})
      .random("w1", {4, 1, 3, 3}, 1)
      .random("b1", {4}, 2)
      .random("slope", {4, 1, 1}, 9, 0.3f);
  b.random("w2", {5, 4, 1, 1}, 3)
      .random("b2", {5}, 4)
      .random("w3", {2, 5, 1, 1}, 5)
      .output("y", {1, 2, 4, 4});
  for (auto& tensor : *b.model.mutable_graph()->mutable_initializer()) {
    if (tensor.name() == "slope") continue;
    auto values = *floats_of(tensor);
    const std::size_t block = values.size() / static_cast<std::size_t>(tensor.dims(0));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] *= std::exp2(static_cast<float>(i / block * 2));
    set_floats(tensor, values);
  }
  set_attribute(b.node("Conv", {"x", "w1", "b1"}, {"c1"}), "group", 4);
  b.node("PRelu", {"c1", "slope"}, {"p"});
  b.node("Conv", {"p", "w2", "b2"}, {"c2"});
  b.node("Relu", {"c2"}, {"r"});
  b.node("Conv", {"r", "w3"}, {"y"});
  return b;
}

TEST(Equalise, TheNetworkComputesTheSame) {
  pb::ModelProto model = uneven().model;
  const Dims dims = {1, 4, 6, 6};
  const auto x = some_numbers(dims, 7);
  const auto before = run(model, dims, x);
  const auto done = equalise(*model.mutable_graph());
  ASSERT_TRUE(done.ok()) << done.status().message();
  EXPECT_EQ(done->pairs, 2);
  EXPECT_LT(done->spread_after, done->spread_before);
  const auto after = run(model, dims, x);
  double largest = 0;
  for (const float v : before) largest = std::max(largest, std::abs(static_cast<double>(v)));
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5 * largest);
}

TEST(Equalise, WhatHoldsOtherNumbersHasAnotherName) {
  pb::ModelProto model = uneven().model;
  ASSERT_TRUE(equalise(*model.mutable_graph()).ok());
  std::vector<std::string> tensors;
  for (const auto& node : model.graph().node())
    tensors.insert(tensors.end(), node.output().begin(), node.output().end());
  EXPECT_EQ(tensors,
            (std::vector<std::string>{"c1_equalized", "p_equalized", "c2_equalized", "r_equalized", "y"}));
  EXPECT_TRUE(is_equalised_name("p_equalized"));
  EXPECT_FALSE(is_equalised_name("y"));
  std::vector<std::string> weights;
  for (const auto& tensor : model.graph().initializer()) weights.push_back(tensor.name());
  EXPECT_EQ(weights,
            (std::vector<std::string>{"w1_equalized", "b1", "slope", "w2_equalized", "b2", "w3_equalized"}));
}

TEST(Equalise, NotAcrossABranchOrABound) {
  NetworkBuilder b = uneven();
  b.output("z", {1, 4, 4, 4});
  b.node("Neg", {"c1"}, {"z"});  // somebody else reads the first layer's result
  auto done = equalise(*b.model.mutable_graph());
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->pairs, 1);
  NetworkBuilder clipped = uneven();
  clipped.weight("low", {}, {0.0f}).weight("high", {}, {6.0f});
  for (auto& node : *clipped.model.mutable_graph()->mutable_node()) {
    if (node.op_type() != "Relu") continue;
    node.set_op_type("Clip");
    node.add_input("low");
    node.add_input("high");
  }
  done = equalise(*clipped.model.mutable_graph());
  ASSERT_TRUE(done.ok());
  EXPECT_EQ(done->pairs, 1) << "a bound of 6 is no longer 6 when its channel is scaled";
}

}  // namespace
}  // namespace sluice::quantize
