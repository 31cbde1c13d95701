// What a float model may look like before it is quantised.
#include "quantize/float_model.h"

#include <gtest/gtest.h>

#include <cmath>

#include "framework/core/half.h"
#include "quantize/input_info.h"
#include "quantize/widen.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// x -> Gemm -> y
NetworkBuilder dense() {
  NetworkBuilder b;
  b.input("x", {1, 4}).random("w", {4, 3}, 1).random("b", {3}, 2).output("y", {1, 3});
  b.node("Gemm", {"x", "w", "b"}, {"y"});
  return b;
}

void narrow(pb::TensorProto& tensor, bool raw) {
  const auto values = floats_of(tensor);
  ASSERT_TRUE(values.ok());
  tensor.set_data_type(pb::TensorProto::FLOAT16);
  std::vector<std::uint16_t> halves(values->size());
  to_half(values->data(), values->size(), halves.data());
  tensor.clear_raw_data();
  if (raw) tensor.set_raw_data(halves.data(), halves.size() * 2);
  for (const std::uint16_t half : halves)
    if (!raw) tensor.add_int32_data(half);
}

TEST(FloatModel, HalvesAreWidened) {
  NetworkBuilder b = dense();
  auto& graph = *b.model.mutable_graph();
  narrow(*graph.mutable_initializer(0), true);
  narrow(*graph.mutable_initializer(1), false);
  graph.mutable_input(0)->mutable_type()->mutable_tensor_type()->set_elem_type(pb::TensorProto::FLOAT16);
  graph.mutable_output(0)->set_name("z");
  set_attribute(b.node("Cast", {"y"}, {"z"}), "to", std::int64_t{pb::TensorProto::FLOAT16});
  ASSERT_TRUE(prepare(b.model, {}).ok());
  for (const pb::NodeProto& node : graph.node())
    EXPECT_NE(node.op_type(), "Cast") << "it has nothing left to convert";
  const std::vector<float> x = some_numbers({1, 4}, 3);
  const std::vector<float> expected = run(dense().model, {1, 4}, x), got = run(b.model, {1, 4}, x);
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) EXPECT_NEAR(got[i], expected[i], 2e-3);
}

// What runs it narrows them again.
TEST(FloatModel, SamplesOfHalvesAreFloats) {
  NetworkBuilder b;
  b.input("x", {1, 4}, pb::TensorProto::FLOAT16);
  const auto inputs = inputs_of(b.model.graph());
  ASSERT_TRUE(inputs.ok());
  EXPECT_EQ((*inputs)[0].dtype, DType::kFloat32);
}

TEST(FloatModel, HalvesThatAreCutShortAreRefused) {
  NetworkBuilder b = dense();
  auto& weights = *b.model.mutable_graph()->mutable_initializer(0);
  narrow(weights, true);
  weights.set_raw_data("\1\2");
  const auto widened = widen(b.model);
  EXPECT_EQ(widened.status().message(), "weights 'w' have 1 numbers, their dimensions say 12");
}

TEST(FloatModel, FloatsAreLeftAlone) {
  NetworkBuilder b = dense();
  const std::string before = b.model.SerializeAsString();
  const auto widened = widen(b.model);
  ASSERT_TRUE(widened.ok());
  EXPECT_FALSE(*widened);
  EXPECT_EQ(b.model.SerializeAsString(), before);
}

// Files of IR version 3 name every weight among their inputs.
TEST(FloatModel, WeightsAreNoInputs) {
  NetworkBuilder b = dense();
  b.input("w", {4, 3}).input("b", {3});
  b.model.set_ir_version(3);
  ASSERT_TRUE(prepare(b.model, {}).ok());
  ASSERT_EQ(b.model.graph().input_size(), 1);
  EXPECT_EQ(b.model.graph().input(0).name(), "x");
  EXPECT_GE(b.model.ir_version(), 4);
}

}  // namespace
}  // namespace sluice::quantize
