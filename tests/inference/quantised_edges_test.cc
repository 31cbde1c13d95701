// Quantisation at a model's edges: what counts as such, and that a stripped model computes the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backends/cpu/cpu_backend.h"
#include "inference/checked_model.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using namespace sluice::testing;

class QuantisedEdges : public ::testing::Test {
 protected:
  ModelSignature signature(const ModelBuilder& model, const std::vector<std::string>& keep_float = {}) {
    auto result = read_signature(request_for(folder_.write("m.onnx", model.bytes())), keep_float);
    EXPECT_TRUE(result.ok()) << result.status().message();
    return result.ok() ? *result : ModelSignature{};
  }
  std::unique_ptr<Session> open(const ModelBuilder& model, const std::vector<std::string>& keep_float = {}) {
    SessionRequest request;
    request.model = request_for(folder_.write("m.onnx", model.bytes()));
    request.keep_float = keep_float;
    auto session = backend_->open(request);
    EXPECT_TRUE(session.ok()) << session.status().message();
    return session.ok() ? std::move(session).value() : nullptr;
  }
  // Input scale 1, output scale 2, both uint8 with zero point 0, around `middle`.
  static ModelBuilder base() {
    return ModelBuilder()
        .input("x", {1, 4})
        .output("y", {1, 4})
        .scale("s", 1.0f)
        .weight(tensor<std::uint8_t>("z", onnx::kUint8, {}, {0}));
  }
  ScratchFolder folder_;
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
};

TEST_F(QuantisedEdges, ArePartOfTheType) {
  const ModelSignature s = signature(qdq_model());
  EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
  EXPECT_EQ(s.inputs[0].quant, (QuantParams{.scale = {0.5f}, .zero_point = {128}, .axis = -1}));
  EXPECT_EQ(s.outputs[0].dtype, DType::kInt8);
  EXPECT_EQ(s.outputs[0].quant, (QuantParams{.scale = {0.25f}, .zero_point = {-3}, .axis = -1}));
  EXPECT_EQ(s.inputs[0].name, "x");
  EXPECT_EQ(s.outputs[0].name, "y");
}

TEST_F(QuantisedEdges, KeptFloatOnDemand) {
  const ModelSignature s = signature(qdq_model(), {"y"});
  EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
  EXPECT_EQ(s.outputs[0].dtype, DType::kFloat32);
  EXPECT_FALSE(s.outputs[0].quant);
}

TEST_F(QuantisedEdges, SixteenBitAndDefaults) {
  const ModelSignature wide = signature(ModelBuilder()
                                            .input("x", {1})
                                            .output("y", {1})
                                            .scale("s", 0.1f)
                                            .weight(tensor<std::uint16_t>("z", onnx::kUint16, {}, {40000}))
                                            .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
                                            .node("DequantizeLinear", {"q", "s", "z"}, {"d"})
                                            .node("Relu", {"d"}, {"y"}));
  EXPECT_EQ(wide.inputs[0].dtype, DType::kUint16);
  EXPECT_EQ(wide.inputs[0].quant->zero_point[0], 40000);
  // No zero point: uint8 and 0, unless output_dtype says otherwise.
  const auto without = [](const std::vector<std::string>& attributes) {
    return ModelBuilder()
        .input("x", {1})
        .output("y", {1})
        .scale("s", 0.1f)
        .node("QuantizeLinear", {"x", "s"}, {"q"}, attributes)
        .node("DequantizeLinear", {"q", "s"}, {"y"});
  };
  EXPECT_EQ(signature(without({})).inputs[0].dtype, DType::kUint8);
  EXPECT_EQ(signature(without({int_attribute("output_dtype", onnx::kInt16)})).inputs[0].dtype, DType::kInt16);
}

// As many exporters write scale and zero point; what is left of the model must still run.
TEST_F(QuantisedEdges, ParametersMayComeFromConstants) {
  const auto constant = [](const std::string& value) {
    return onnx::Writer()
        .bytes(pb::kAttributeName, "value")
        .bytes(pb::kAttributeTensor, value)
        .varint(20, 4)
        .take();
  };
  const ModelBuilder model =
      ModelBuilder()
          .input("x", {1, 4})
          .output("y", {1, 4})
          .node("Constant", {}, {"s"}, {constant(tensor<float>("", onnx::kFloat, {}, {0.5f}))})
          .node("Constant", {}, {"z"}, {constant(tensor<std::uint8_t>("other", onnx::kUint8, {}, {7}))})
          .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
          .node("DequantizeLinear", {"q", "s", "z"}, {"y"});
  const ModelSignature s = signature(model);
  EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
  EXPECT_EQ(s.inputs[0].quant, (QuantParams{.scale = {0.5f}, .zero_point = {7}, .axis = -1}));
  const auto session = open(model);
  ASSERT_TRUE(session);
  RunTensors run(session->signature());
  run.inputs[0].set<std::uint8_t>({7, 8, 0, 255});
  ASSERT_TRUE(session->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(0, 0.5f, -3.5f, 124));
}

TEST_F(QuantisedEdges, ScalesAlongOneDimension) {
  const auto with = [](std::int64_t axis, std::size_t scales) {
    const std::vector<float> all = {0.5f, 2, 4};
    const std::vector<std::uint8_t> zeros = {1, 10, 100};
    const auto n = static_cast<std::ptrdiff_t>(scales);
    return ModelBuilder()
        .input("x", {1, 2, 3})
        .output("y", {1, 2, 3})
        .weight(tensor<float>("s", onnx::kFloat, {n}, {all.begin(), all.begin() + n}))
        .weight(tensor<std::uint8_t>("z", onnx::kUint8, {n}, {zeros.begin(), zeros.begin() + n}))
        .node("QuantizeLinear", {"x", "s", "z"}, {"q"}, {int_attribute("axis", axis)})
        .node("DequantizeLinear", {"q", "s", "z"}, {"y"}, {int_attribute("axis", axis)});
  };
  for (const std::int64_t axis : {2, -1}) {
    const ModelSignature s = signature(with(axis, 3));
    EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
    EXPECT_EQ(s.inputs[0].quant, (QuantParams{.scale = {0.5f, 2, 4}, .zero_point = {1, 10, 100}, .axis = 2}));
  }
  EXPECT_EQ(signature(with(1, 2)).inputs[0].quant->axis, 1);
  const auto session = open(with(1, 2));
  ASSERT_TRUE(session);
  RunTensors run(session->signature());
  run.inputs[0].set<std::uint8_t>({1, 2, 3, 10, 11, 0});
  ASSERT_TRUE(session->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(0, 0.5f, 1, 0, 2, -20));
  // As many scales as no dimension has, or a dimension that the tensor lacks.
  EXPECT_EQ(signature(with(1, 3)).inputs[0].dtype, DType::kFloat32);
  EXPECT_EQ(signature(with(3, 3)).inputs[0].dtype, DType::kFloat32);
}

TEST_F(QuantisedEdges, OtherUsesKeepFloat) {
  // The input also feeds another operator.
  EXPECT_EQ(signature(base()
                          .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
                          .node("DequantizeLinear", {"q", "s", "z"}, {"d"})
                          .node("Add", {"d", "x"}, {"y"}))
                .inputs[0]
                .dtype,
            DType::kFloat32);
  // The output is read inside too.
  EXPECT_EQ(signature(base()
                          .node("Relu", {"x"}, {"r"})
                          .node("QuantizeLinear", {"r", "s", "z"}, {"q"})
                          .node("DequantizeLinear", {"q", "s", "z"}, {"y"})
                          .node("Relu", {"y"}, {"unused"}))
                .outputs[0]
                .dtype,
            DType::kFloat32);
  // A scale that a run computes.
  EXPECT_EQ(signature(ModelBuilder()
                          .input("x", {1, 2})
                          .input("s", {})
                          .output("y", {1, 2})
                          .node("QuantizeLinear", {"x", "s"}, {"q"})
                          .node("DequantizeLinear", {"q", "s"}, {"y"}))
                .inputs[0]
                .dtype,
            DType::kFloat32);
}

TEST_F(QuantisedEdges, SubgraphsMayReadInnerTensors) {
  const std::string body =
      onnx::Writer()
          .bytes(pb::kAttributeName, "body")
          .bytes(pb::kAttributeGraph, onnx::Writer().bytes(pb::kGraphName, "inner").text())
          .take();
  EXPECT_EQ(signature(base()
                          .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
                          .node("DequantizeLinear", {"q", "s", "z"}, {"d"})
                          .node("Foo", {"d"}, {"y"}, {body}))
                .inputs[0]
                .dtype,
            DType::kFloat32);
}

TEST_F(QuantisedEdges, SeveralEqualQuantizersAreOne) {
  const ModelBuilder model = base()
                                 .node("QuantizeLinear", {"x", "s", "z"}, {"q1"})
                                 .node("QuantizeLinear", {"x", "s", "z"}, {"q2"})
                                 .node("DequantizeLinear", {"q1", "s", "z"}, {"d1"})
                                 .node("DequantizeLinear", {"q2", "s", "z"}, {"d2"})
                                 .node("Add", {"d1", "d2"}, {"y"});
  EXPECT_EQ(signature(model).inputs[0].dtype, DType::kUint8);
  const auto session = open(model);
  ASSERT_TRUE(session);
  RunTensors run(session->signature());
  run.inputs[0].set<std::uint8_t>({0, 1, 2, 250});
  ASSERT_TRUE(session->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<float>(), ::testing::ElementsAre(0, 2, 4, 500));
}

TEST_F(QuantisedEdges, QuantizeFollowedByDequantizeAlone) {
  // Both pairs meet in one tensor: only the input is stripped.
  const auto session = open(
      base().node("QuantizeLinear", {"x", "s", "z"}, {"q"}).node("DequantizeLinear", {"q", "s", "z"}, {"y"}));
  ASSERT_TRUE(session);
  EXPECT_EQ(session->signature().inputs[0].dtype, DType::kUint8);
  EXPECT_EQ(session->signature().outputs[0].dtype, DType::kFloat32);
}

TEST_F(QuantisedEdges, StrippedEqualsUnstripped) {
  const auto whole = open(qdq_model(), {"x", "y"});
  ASSERT_TRUE(whole);
  RunTensors real(whole->signature());
  std::vector<std::uint8_t> integers = {0, 1, 100, 127, 128, 129, 150, 255};
  std::vector<float> values;
  values.reserve(integers.size());
  for (const std::uint8_t q : integers) values.push_back((static_cast<float>(q) - 128) * 0.5f);
  real.inputs[0].set(values);
  ASSERT_TRUE(whole->run(0, real.in, real.out).ok());

  const auto stripped = open(qdq_model());
  ASSERT_TRUE(stripped);
  RunTensors run(stripped->signature());
  run.inputs[0].set(integers);
  ASSERT_TRUE(stripped->run(0, run.in, run.out).ok());
  const std::vector<std::int8_t> out = run.outputs[0].values<std::int8_t>();
  const std::vector<float> expected = real.outputs[0].values<float>();
  for (std::size_t i = 0; i < out.size(); ++i)
    EXPECT_EQ((static_cast<float>(out[i]) + 3) * 0.25f, expected[i]) << i;
}

// x uint8 -> DQ -> Relu -> Q -> y uint8, as `sluice quantize --io quantized` writes it.
ModelBuilder integer_edges(const std::vector<std::uint8_t>& second_zero_point) {
  return ModelBuilder()
      .input("x", {1, 4}, onnx::kUint8)
      .output("y", {1, 4}, onnx::kUint8)
      .scale("s", 0.5f)
      .weight(tensor<std::uint8_t>("z", onnx::kUint8, {}, {128}))
      .weight(tensor<std::uint8_t>("z2", onnx::kUint8, {}, second_zero_point))
      .node("DequantizeLinear", {"x", "s", "z"}, {"d"})
      .node("DequantizeLinear", {"x", "s", "z2"}, {"e"})
      .node("Add", {"d", "e"}, {"r"})
      .node("QuantizeLinear", {"r", "s", "z"}, {"y"});
}

TEST_F(QuantisedEdges, IntegersOfTheFileHaveTheParametersOfTheirNeighbours) {
  const QuantParams expected{.scale = {0.5f}, .zero_point = {128}, .axis = -1};
  // They stay integers whatever the plan would like.
  for (const std::vector<std::string>& keep_float : {std::vector<std::string>{}, {"x", "y"}}) {
    const ModelSignature s = signature(integer_edges({128}), keep_float);
    EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
    EXPECT_EQ(s.inputs[0].quant, expected);
    EXPECT_EQ(s.outputs[0].quant, expected);
  }
  const auto session = open(integer_edges({128}));
  ASSERT_TRUE(session);
  RunTensors run(session->signature());
  run.inputs[0].set<std::uint8_t>({128, 129, 130, 0});
  ASSERT_TRUE(session->run(0, run.in, run.out).ok());
  EXPECT_THAT(run.outputs[0].values<std::uint8_t>(), ::testing::ElementsAre(128, 130, 132, 0));
}

TEST_F(QuantisedEdges, IntegersThatAreReadInTwoWaysArePlain) {
  const ModelSignature s = signature(integer_edges({127}));
  EXPECT_EQ(s.inputs[0].dtype, DType::kUint8);
  EXPECT_FALSE(s.inputs[0].quant);
  EXPECT_TRUE(s.outputs[0].quant);
}

}  // namespace
}  // namespace sluice
