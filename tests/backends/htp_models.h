// Small models for the NPU, quantised as its compiler wants them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/inference/onnx_builder.h"

namespace sluice::testing {

// "r" -> quantised to 16 bits with (scale, 32768) and back: a tensor's place in a QDQ graph.
inline ModelBuilder& add_qdq(ModelBuilder& model, const std::string& in, const std::string& out,
                             float scale) {
  const std::string p = out + "_";
  return model.scale(p + "s", scale)
      .weight(tensor<std::uint16_t>(p + "z", onnx::kUint16, {}, {32768}))
      .node("QuantizeLinear", {in, p + "s", p + "z"}, {p + "q"})
      .node("DequantizeLinear", {p + "q", p + "s", p + "z"}, {out});
}

// x [batch,4,6,6] -> 1x1 convolution with 8-bit weights per channel -> Relu -> y; all of it on the NPU.
inline ModelBuilder npu_model(const DimSpec& batch = 1) {
  ModelBuilder model;
  model.input("x", {batch, 4, 6, 6}).output("y", {batch, 4, 6, 6});
  add_qdq(model, "x", "xd", 1.0f / 16384);
  model
      .weight(tensor<std::int8_t>("wq", onnx::kInt8, {4, 4, 1, 1},
                                  {100, -20, 30, 5, -60, 120, 10, 7, 3, 9, -110, 50, 21, -31, 41, 127}))
      .weight(tensor<float>("ws", onnx::kFloat, {4}, {0.01f, 0.012f, 0.009f, 0.011f}))
      .weight(tensor<std::int8_t>("wz", onnx::kInt8, {4}, {0, 0, 0, 0}))
      .node("DequantizeLinear", {"wq", "ws", "wz"}, {"w"}, {int_attribute("axis", 0)})
      .node("Conv", {"xd", "w"}, {"c"});
  add_qdq(model, "c", "cd", 1.0f / 8192);
  model.node("Relu", {"cd"}, {"r"});
  return add_qdq(model, "r", "y", 1.0f / 8192);
}

// As above with an operator behind it that the provider has no builder for.
inline ModelBuilder split_model() {
  ModelBuilder model;
  model.input("x", {1, 4, 6, 6}).output("y", {1, 4, 6, 6});
  add_qdq(model, "x", "xd", 1.0f / 16384);
  model.node("Relu", {"xd"}, {"r"});
  add_qdq(model, "r", "rd", 1.0f / 16384);
  return model.node("Shrink", {"rd"}, {"y"});
}

// x -> uint8 -> MatMulInteger -> y: integers in an operator of their own, which the provider lacks.
inline ModelBuilder integer_operator_model() {
  return ModelBuilder()
      .input("x", {4, 4})
      .output("y", {4, 4})
      .scale("s", 0.01f)
      .weight(tensor<std::uint8_t>("z", onnx::kUint8, {}, {128}))
      .weight(tensor<std::uint8_t>("w", onnx::kUint8, {4, 4},
                                   {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}))
      .node("QuantizeLinear", {"x", "s", "z"}, {"q"})
      .node("MatMulInteger", {"q", "w", "z", "z"}, {"m"})
      .node("Cast", {"m"}, {"y"}, {int_attribute("to", onnx::kFloat)});
}

// x [1,4,6,6] -> float convolution -> y.
inline ModelBuilder float_model() {
  return ModelBuilder()
      .input("x", {1, 4, 6, 6})
      .output("y", {1, 4, 6, 6})
      .weight(tensor<float>("w", onnx::kFloat, {4, 4, 1, 1},
                            {1, -0.2f, 0.3f, 0.05f, -0.6f, 1.2f, 0.1f, 0.07f, 0.03f, 0.09f, -1.1f, 0.5f,
                             0.21f, -0.31f, 0.41f, 1.27f}))
      .node("Conv", {"x", "w"}, {"c"})
      .node("Relu", {"c"}, {"y"});
}

}  // namespace sluice::testing
