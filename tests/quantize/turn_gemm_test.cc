#include "quantize/turn_gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "quantize/infer_types.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

std::vector<std::string> types_of(const pb::ModelProto& model) {
  std::vector<std::string> out;
  for (const pb::NodeProto& node : model.graph().node()) out.push_back(node.op_type());
  return out;
}

struct Shape {
  bool turn_constant, turn_data;
  Dims bias;  // empty: none
  float alpha, beta;
};

class TurnGemm : public ::testing::TestWithParam<Shape> {};

// [3,4] constant by [4,5] data, in all of Gemm's forms.
TEST_P(TurnGemm, ComputesTheSameWithDataFirst) {
  const Shape& form = GetParam();
  const Dims data = form.turn_data ? Dims{5, 4} : Dims{4, 5};
  NetworkBuilder b;
  b.input("x", data).output("y", {3, 5}).random("a", form.turn_constant ? Dims{4, 3} : Dims{3, 4}, 1);
  std::vector<std::string> inputs = {"a", "x"};
  if (!form.bias.empty()) {
    b.random("c", form.bias, 2);
    inputs.emplace_back("c");
  }
  pb::NodeProto& gemm = b.node("Gemm", inputs, {"y"});
  set_attribute(gemm, "transA", form.turn_constant ? 1 : 0);
  set_attribute(gemm, "transB", form.turn_data ? 1 : 0);
  add_float(gemm, "alpha", form.alpha);
  add_float(gemm, "beta", form.beta);
  const std::vector<float> x = some_numbers(data, 3);
  const std::vector<float> before = run(b.model, data, x);
  const Status status = turn_gemms(*b.model.mutable_graph());
  ASSERT_TRUE(status.ok()) << status.message();
  for (const pb::NodeProto& node : b.model.graph().node()) {
    EXPECT_NE(node.op_type(), "Gemm");
    if (node.op_type() == "MatMul") {
      EXPECT_EQ(node.input(1), "a_turned");
    }
  }
  const std::vector<float> after = run(b.model, data, x);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Forms, TurnGemm,
                         ::testing::Values(Shape{false, false, {}, 1, 1}, Shape{true, false, {}, 0.5f, 1},
                                           Shape{false, true, {3, 1}, 1, 1}, Shape{true, true, {5}, 2, 0.25f},
                                           Shape{false, false, {3, 5}, 1, 3}));

TEST(TurnGemms, LeavesDataByConstantAlone) {
  NetworkBuilder b;
  b.input("x", {1, 4}).random("w", {4, 3}, 1).output("y", {1, 3});
  b.node("Gemm", {"x", "w"}, {"y"});
  ASSERT_TRUE(turn_gemms(*b.model.mutable_graph()).ok());
  EXPECT_EQ(types_of(b.model), std::vector<std::string>{"Gemm"});
}

TEST(TurnGemms, KeepsTheOrderAndNamesWhatItCannotTurn) {
  NetworkBuilder b;
  b.input("x", {4, 5}).random("a", {3, 4}, 1).value("g", {3, 5}).output("y", {3, 5});
  b.node("Relu", {"x"}, {"r"});
  b.node("Gemm", {"a", "r"}, {"g"});
  b.node("Relu", {"g"}, {"y"});
  pb::ModelProto model = b.model;
  ASSERT_TRUE(turn_gemms(*model.mutable_graph()).ok());
  EXPECT_EQ(types_of(model), (std::vector<std::string>{"Relu", "Transpose", "MatMul", "Transpose", "Relu"}));
  EXPECT_TRUE(infer_types(model).ok());
  b.model.mutable_graph()->mutable_initializer(0)->set_data_type(pb::TensorProto::INT32);
  const Status status = turn_gemms(*b.model.mutable_graph());
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_THAT(status.message(), ::testing::HasSubstr("'Gemm_g' (Gemm) multiplies the constant 'a' by data"));
}

}  // namespace
}  // namespace sluice::quantize
