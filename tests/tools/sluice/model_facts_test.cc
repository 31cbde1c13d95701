#include "tools/sluice/model_facts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/inference/onnx_builder.h"

namespace sluice::cli {
namespace {

using sluice::testing::tensor;
using ::testing::HasSubstr;

onnx::ValueInfo value(std::string_view name, const std::vector<std::int64_t>& dims) {
  onnx::ValueInfo out;
  out.name = name;
  out.is_tensor = true;
  out.has_shape = true;
  out.element = onnx::kFloat;
  for (const std::int64_t d : dims) out.dims.push_back({d, d < 0 ? "N" : ""});
  return out;
}

onnx::Operator op(std::string_view type, std::vector<onnx::Bytes> inputs, std::string_view output) {
  onnx::Operator out;
  out.type = type;
  out.inputs = std::move(inputs);
  out.outputs = {output};
  return out;
}

// x[N,3,8,8] -> Conv(16 of 3x3x3, stride 2) -> c[1,16,4,4] -> Reshape -> f[1,256] -> Gemm(256x10) -> y[1,10]
CheckedModel example() {
  CheckedModel model;
  model.file = *ModelFile::open("tests/tools/sluice/CMakeLists.txt");
  auto& h = model.header;
  h.inputs = {value("x", {-1, 3, 8, 8})};
  h.values = {value("c", {1, 16, 4, 4}), value("f", {1, 256})};
  h.outputs = {value("y", {1, 10})};
  h.operators = {op("Conv", {"x", "w"}, "c"), op("Reshape", {"c"}, "f"), op("Gemm", {"f", "m"}, "y")};
  h.initializers.resize(2);
  h.initializers[0].name = "w";
  h.initializers[0].elements = 16 * 3 * 3 * 3;
  h.initializers[1].name = "m";
  h.initializers[1].elements = 2560;
  h.opsets = {{"", 13}};
  model.edges.inputs.resize(1);
  model.edges.outputs.resize(1);
  onnx::EdgeQuant quant;
  quant.element = onnx::kUint8;
  quant.params = {.scale = {0.5f}, .zero_point = {3}, .axis = -1};
  model.edges.outputs[0] = quant;
  return model;
}

TEST(ModelFacts, CountsMultiplyAccumulates) {
  const ModelFacts facts = facts_of(example());
  EXPECT_EQ(facts.macs, 16 * 4 * 4 * 27 + 2560);
  EXPECT_EQ(facts.parameters, 432 + 2560);
  EXPECT_EQ(facts.operators.at("Conv"), 1);
}

TEST(ModelFacts, ShapesThatAreGivenReplaceTheNames) {
  const ModelFacts facts = facts_of(example(), {{"N", 2}});
  EXPECT_EQ(facts.inputs[0].shape, (std::vector<std::string>{"2", "3", "8", "8"}));
  CheckedModel nameless = example();
  nameless.header.inputs[0].dims[0].name = {};
  EXPECT_EQ(facts_of(nameless).inputs[0].shape[0], "?");
  EXPECT_EQ(facts_of(nameless, {{"x.0", 4}}).inputs[0].shape[0], "4");
}

TEST(ModelFacts, NoShapeIsNoScalar) {
  CheckedModel model = example();
  model.header.inputs[0].has_shape = false;
  model.header.inputs[0].dims.clear();
  EXPECT_THAT(facts_text(facts_of(model)), HasSubstr("input  x: float32 without a shape\n"));
  EXPECT_EQ(nlohmann::json::parse(facts_json(facts_of(model)))["inputs"][0]["shape"], nullptr);
  model.header.inputs[0].has_shape = true;
  EXPECT_THAT(facts_text(facts_of(model)), HasSubstr("input  x: float32 scalar\n"));
  EXPECT_EQ(nlohmann::json::parse(facts_json(facts_of(model)))["inputs"][0]["shape"],
            nlohmann::json::array());
}

TEST(ModelFacts, AMissingShapeMakesThemUnknown) {
  CheckedModel model = example();
  model.header.values.clear();
  const ModelFacts facts = facts_of(model);
  EXPECT_FALSE(facts.macs.has_value());
  EXPECT_EQ(facts.without_shape, 1);
  EXPECT_THAT(facts_text(facts),
              HasSubstr("multiply-accumulates unknown: no fixed shape is given or follows for 1 operators"));
  EXPECT_TRUE(nlohmann::json::parse(facts_json(facts))["macs"].is_null());
}

TEST(ModelFacts, WhatIsNotCountedIsUnknownAndNotZero) {
  CheckedModel model = example();
  model.header.operators.push_back(op("LSTM", {"y", "w"}, "z"));
  EXPECT_THAT(facts_text(facts_of(model)),
              HasSubstr("multiply-accumulates unknown: those of LSTM are not counted"));
  EXPECT_TRUE(nlohmann::json::parse(facts_json(facts_of(model)))["macs"].is_null());
  model.header.operators = {op("EPContext", {"x"}, "y")};
  EXPECT_THAT(facts_text(facts_of(model)), HasSubstr("all multiply-accumulates are compiled"));
}

// As above, quantised: shapes stand at the integers only, weights are read through DequantizeLinear.
CheckedModel quantised_example() {
  CheckedModel model = example();
  auto& h = model.header;
  h.values = {value("cq", {1, 16, 4, 4}), value("f", {1, 256})};
  h.operators = {op("QuantizeLinear", {"x", "s", "z"}, "xq"),
                 op("DequantizeLinear", {"xq", "s", "z"}, "xd"),
                 op("DequantizeLinear", {"w", "ws"}, "wd"),
                 op("Conv", {"xd", "wd"}, "c"),
                 op("QuantizeLinear", {"c", "s", "z"}, "cq"),
                 op("DequantizeLinear", {"cq", "s", "z"}, "cd"),
                 op("Reshape", {"cd"}, "f"),
                 op("DequantizeLinear", {"m", "ms", "z8"}, "md"),
                 op("Gemm", {"f", "md"}, "y")};
  static const std::string scale = tensor<float>("s", onnx::kFloat, {}, {0.25f});
  static const std::string zero = tensor<std::uint16_t>("z", onnx::kUint16, {}, {32768});
  static const std::string scales = tensor<float>("ws", onnx::kFloat, {3}, {0.5f, 0.1f, 0.2f});
  static const std::string two = tensor<float>("ms", onnx::kFloat, {2}, {0.25f, 1.0f});
  static const std::string narrow = tensor<std::int8_t>("z8", onnx::kInt8, {2}, {-1, 2});
  h.initializers[0].element = h.initializers[1].element = onnx::kInt8;
  h.initializers.push_back({.name = "s", .element = onnx::kFloat, .elements = 1, .message = scale});
  h.initializers.push_back({.name = "z", .element = onnx::kUint16, .elements = 1, .message = zero});
  h.initializers.push_back({.name = "ws", .element = onnx::kFloat, .elements = 3, .message = scales});
  h.initializers.push_back({.name = "ms", .element = onnx::kFloat, .elements = 2, .message = two});
  h.initializers.push_back({.name = "z8", .element = onnx::kInt8, .elements = 2, .message = narrow});
  return model;
}

TEST(ModelFacts, CountsMultiplyAccumulatesOfQuantisedLayers) {
  EXPECT_EQ(facts_of(quantised_example()).macs, 16 * 4 * 4 * 27 + 2560);
}

TEST(ModelFacts, SaysHowEachTensorIsQuantised) {
  const ModelFacts facts = facts_of(quantised_example());
  const std::string text = facts_text(facts);
  EXPECT_THAT(text, HasSubstr("3001 parameters (6 float32, 2994 int8, 1 uint16)"));
  EXPECT_THAT(text, HasSubstr("4 quantised tensors: 2 uint16, 2 weights in int8\n"
                              "  x: uint16, scale 0.25, zero point 32768\n"
                              "  weights w: int8, 3 scales 0.1..0.5\n"
                              "  c: uint16, scale 0.25, zero point 32768\n"
                              "  weights m: int8, 2 scales 0.25..1, zero points -1..2\n"));
  const auto json = nlohmann::json::parse(facts_json(facts));
  EXPECT_EQ(json["parameters_by_type"]["int8"], 2994);
  const auto& tensors = json["quantised_tensors"];
  EXPECT_EQ(tensors[1]["scale"].size(), 3u);
  EXPECT_EQ(tensors[1]["zero_point"], nlohmann::json::parse("[0, 0, 0]"));
  EXPECT_EQ(tensors[2]["scale"], 0.25);
  EXPECT_EQ(tensors[3]["zero_point"], nlohmann::json::parse("[-1, 2]"));
}

TEST(ModelFacts, QuantisedEdgesAreIntegers) {
  ModelFacts facts = facts_of(example());
  facts.backends = {{"htp", "not in this build", std::nullopt},
                    {"cpu", "", Placement{3, 2, {{"gpu", 1}}, {}}}};
  const std::string text = facts_text(facts);
  EXPECT_THAT(text, HasSubstr("input  x: float32 Nx3x8x8\n"));
  EXPECT_THAT(text, HasSubstr("output y: uint8 1x10 (scale 0.5, zero point 3)\n"));
  EXPECT_THAT(text, HasSubstr("3 operators: 1 Conv, 1 Gemm, 1 Reshape\n"));
  EXPECT_THAT(text, HasSubstr("  htp: not in this build\n  cpu: 2 of 3 operators, 1 on gpu\n"));
  const auto json = nlohmann::json::parse(facts_json(facts));
  EXPECT_EQ(json["inputs"][0]["shape"], nlohmann::json::parse(R"(["N", 3, 8, 8])"));
  EXPECT_EQ(json["outputs"][0]["quantisation"]["zero_point"], 3);
  EXPECT_EQ(json["backends"][1]["operators"]["elsewhere"]["gpu"], 1);
  EXPECT_TRUE(json["backends"][0]["operators"].is_null());
}

TEST(ModelFacts, AnEdgeMayHaveScalesAlongOneDimension) {
  CheckedModel model = example();
  model.edges.outputs[0]->params = {.scale = {0.5f, 2}, .zero_point = {3, 4}, .axis = 1};
  const ModelFacts facts = facts_of(model);
  EXPECT_THAT(facts_text(facts), HasSubstr("output y: uint8 1x10 (2 scales along dimension 1)\n"));
  const auto quantisation = nlohmann::json::parse(facts_json(facts))["outputs"][0]["quantisation"];
  EXPECT_EQ(quantisation, nlohmann::json::parse(R"({"scale": [0.5, 2.0], "zero_point": [3, 4], "axis": 1})"));
}

}  // namespace
}  // namespace sluice::cli
