#include "tools/sluice/layer_operators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/onnx_builder.h"
#include "tools/sluice/remedies.h"

namespace sluice::cli {
namespace {

using sluice::testing::tensor;
using ::testing::HasSubstr;

onnx::Operator op(std::string_view type, std::string_view name, std::vector<onnx::Bytes> inputs,
                  std::string_view output) {
  onnx::Operator out;
  out.type = type;
  out.name = name;
  out.inputs = std::move(inputs);
  out.outputs = {output};
  return out;
}

LayerTime named(std::string name) {
  LayerTime out;
  out.name = std::move(name);
  return out;
}

LayerTime described(const onnx::ModelHeader& header, const std::string& name) {
  std::vector<LayerTime> layers = {named(name)};
  describe_layers(header, layers);
  return layers[0];
}

// A float Conv of 32 channels, and one of 2 whose input and weights are dequantised.
class Layers : public ::testing::Test {
 protected:
  Layers() {
    header.operators = {op("Conv", "wide", {"x", "w"}, "c"), op("MatMul", "dense", {"x", "w"}, "m"),
                        op("DequantizeLinear", "", {"q", "s", "z"}, "qd"),
                        op("DequantizeLinear", "", {"v", "s", "s"}, "vd"),
                        op("Conv", "narrow", {"qd", "vd"}, "n")};
    header.initializers = {weights("w", onnx::kFloat, w), weights("v", onnx::kInt8, v),
                           weights("z", onnx::kUint16, z), weights("s", onnx::kFloat, s)};
  }
  static onnx::Initializer weights(std::string_view name, std::int32_t element, const std::string& message) {
    onnx::Initializer out;
    out.name = name;
    out.element = element;
    out.message = message;
    return out;
  }

  const std::string w = tensor<float>("w", onnx::kFloat, {32, 32, 3, 3}, {});
  const std::string v = tensor<std::int8_t>("v", onnx::kInt8, {2, 8, 1, 1}, {});
  const std::string z = tensor<std::uint16_t>("z", onnx::kUint16, {}, {7});
  const std::string s = tensor<float>("s", onnx::kFloat, {}, {1});
  onnx::ModelHeader header;
};

TEST_F(Layers, AreFoundUnderTheNamesOfProfilers) {
  for (const char* name : {"wide", "wide_token_7", "fused wide", "c_nchwc"}) {
    const LayerTime layer = described(header, name);
    EXPECT_EQ(layer.type, "Conv") << name;
    EXPECT_EQ(layer.kernel, (std::vector<std::int64_t>{32, 32, 3, 3})) << name;
    EXPECT_THAT(remedy_for(layer, "htp"), HasSubstr("depthwise")) << name;
  }
  EXPECT_EQ(described(header, "other").type, "");
}

TEST_F(Layers, KnowTheirElementsBehindADequantisation) {
  const LayerTime layer = described(header, "narrow_token_1");
  ASSERT_EQ(layer.inputs.size(), 1u);
  EXPECT_EQ(layer.inputs[0].dtype, "uint16");
  EXPECT_EQ(layer.quantised, "uint16");
  EXPECT_EQ(layer.kernel, (std::vector<std::int64_t>{2, 8, 1, 1}));
  EXPECT_EQ(described(header, "dense").quantised, "");
  EXPECT_THAT(remedy_for(described(header, "dense"), "htp"), HasSubstr("dense layer in float"));
}

TEST_F(Layers, OfACompiledModelAreSaidToBeThat) {
  header.operators = {op("EPContext", "context", {"x"}, "y")};
  EXPECT_THAT(remedy_for(described(header, "wide_token_7"), "htp"),
              HasSubstr("profile the ONNX model that it was compiled from"));
}

}  // namespace
}  // namespace sluice::cli
