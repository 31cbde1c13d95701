#include "quantize/raise_opset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "quantize/graph_index.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// The same numbers before and after, and ONNX Runtime accepts the new form.
void expect_same(pb::ModelProto model, const Dims& input, std::int64_t opset = kSixteenBitOpset) {
  const std::vector<float> x = some_numbers(input, 3);
  const std::vector<float> before = run(model, input, x);
  const Status status = raise_opset(model, opset);
  ASSERT_TRUE(status.ok()) << status.message();
  EXPECT_EQ(opset_of(model), opset);
  const std::vector<float> after = run(model, input, x);
  ASSERT_EQ(before.size(), after.size());
  ASSERT_FALSE(before.empty());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_FLOAT_EQ(before[i], after[i]) << i;
}

struct Case {
  const char* name;
  std::int64_t from;
  void (*make)(NetworkBuilder&);
};

class RaiseOpset : public ::testing::TestWithParam<Case> {};

TEST_P(RaiseOpset, KeepsTheNumbers) {
  NetworkBuilder b(GetParam().from);
  b.input("x", {2, 3, 4, 6});
  GetParam().make(b);
  expect_same(b.model, {2, 3, 4, 6});
}

INSTANTIATE_TEST_SUITE_P(
    Operators, RaiseOpset,
    ::testing::Values(
        Case{"Clip", 10,
             [](NetworkBuilder& b) {
               auto& n = b.output("y", {2, 3, 4, 6}).node("Clip", {"x"}, {"y"});
               add_float(n, "min", -0.25f);
               add_float(n, "max", 0.5f);
             }},
        Case{"Slice", 9,
             [](NetworkBuilder& b) {
               auto& n = b.output("y", {2, 3, 2, 6}).node("Slice", {"x"}, {"y"});
               add_ints(n, "axes", {2});
               add_ints(n, "starts", {1});
               add_ints(n, "ends", {3});
             }},
        Case{"Pad", 10,
             [](NetworkBuilder& b) {
               auto& n = b.output("y", {2, 3, 5, 8}).node("Pad", {"x"}, {"y"});
               add_ints(n, "pads", {0, 0, 1, 1, 0, 0, 0, 1});
               add_float(n, "value", 0.5f);
             }},
        Case{"Resize", 10,
             [](NetworkBuilder& b) {
               b.weight("s", {4}, {1, 1, 1.5f, 2}).output("y", {2, 3, 6, 12});
               set_attribute(b.node("Resize", {"x", "s"}, {"y"}), "mode", std::string("linear"));
             }},
        Case{"Upsample", 9,
             [](NetworkBuilder& b) {
               b.weight("s", {4}, {1, 1, 2, 2}).output("y", {2, 3, 8, 12});
               set_attribute(b.node("Upsample", {"x", "s"}, {"y"}), "mode", std::string("nearest"));
             }},
        Case{"SqueezeUnsqueeze", 11,
             [](NetworkBuilder& b) {
               b.value("u", {1, 2, 3, 4, 6}).output("y", {2, 3, 4, 6});
               add_ints(b.node("Unsqueeze", {"x"}, {"u"}), "axes", {0});
               add_ints(b.node("Squeeze", {"u"}, {"y"}), "axes", {0});
             }},
        Case{"SplitUneven", 11,
             [](NetworkBuilder& b) {
               b.output("y", {2, 3, 4, 2}).output("z", {2, 3, 4, 4});
               auto& n = b.node("Split", {"x"}, {"y", "z"});
               set_attribute(n, "axis", 3);
               add_ints(n, "split", {2, 4});
             }},
        Case{"SplitEven", 13,
             [](NetworkBuilder& b) {
               b.output("y", {2, 3, 4, 3}).output("z", {2, 3, 4, 3});
               set_attribute(b.node("Split", {"x"}, {"y", "z"}), "axis", 3);
             }},
        Case{"SoftmaxOverAllBehindTheAxis", 11,
             [](NetworkBuilder& b) { b.output("y", {2, 3, 4, 6}).node("Softmax", {"x"}, {"y"}); }},
        Case{"SoftmaxOverTheLast", 11,
             [](NetworkBuilder& b) {
               set_attribute(b.output("y", {2, 3, 4, 6}).node("Softmax", {"x"}, {"y"}), "axis", 3);
             }},
        Case{"ReduceMean", 11,
             [](NetworkBuilder& b) {
               add_ints(b.output("y", {2, 3, 1, 1}).node("ReduceMean", {"x"}, {"y"}), "axes", {2, 3});
             }},
        Case{"ReduceSumOfAll", 11,
             [](NetworkBuilder& b) { b.output("y", {1, 1, 1, 1}).node("ReduceSum", {"x"}, {"y"}); }},
        Case{"Dropout", 10,
             [](NetworkBuilder& b) { b.output("y", {2, 3, 4, 6}).node("Dropout", {"x"}, {"y"}); }}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RaiseOpsetRules, WhatHasNoEqualIsNamed) {
  NetworkBuilder b(18);
  b.input("x", {1, 4, 2, 2}).random("s", {2}, 1).random("b", {2}, 2).output("y", {1, 4, 2, 2});
  set_attribute(b.node("GroupNormalization", {"x", "s", "b"}, {"y"}), "num_groups", 2);
  EXPECT_EQ(raise_opset(b.model, 21).message(),
            "cannot be raised from opset 18 to 21: operator 'GroupNormalization_y' (GroupNormalization) "
            "means something "
            "else in the newer operator set");
}

TEST(RaiseOpsetRules, ANewerModelStaysAsItIs) {
  NetworkBuilder b(17);
  b.input("x", {1}).output("y", {1});
  b.node("Relu", {"x"}, {"y"});
  const std::string before = b.model.SerializeAsString();
  ASSERT_TRUE(raise_opset(b.model, 13).ok());
  EXPECT_EQ(b.model.SerializeAsString(), before);
}

TEST(RaiseOpsetRules, IrVersionFollows) {
  NetworkBuilder b(12);
  b.input("x", {1}).output("y", {1});
  b.node("Relu", {"x"}, {"y"});
  ASSERT_TRUE(raise_opset(b.model, 21).ok());
  EXPECT_EQ(b.model.ir_version(), 10);
}

}  // namespace
}  // namespace sluice::quantize
