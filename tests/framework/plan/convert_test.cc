// Float meets quantised: folded, inserted, or contradicted.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string pipeline(const std::string& pre, const std::string& detect,
                     const std::string& model = "quant.onnx") {
  return "models: {face: {path: " + model +
         "}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: " + pre +
         ", inputs: cam}\n"
         "- {id: face, type: infer, inputs: pre, options: {model: face}}\n- {id: boxes, type: " +
         detect + ", inputs: face}\n- {id: out, type: void, inputs: boxes}\n";
}

TEST(Convert, FoldsIntoNeighboursThatCan) {
  const PlanResult result = plan_of(pipeline("pre", "detect"));
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(result.plan->nodes.size(), 5U);
  EXPECT_EQ(node(result, "pre").routes[0].outputs[0].tensor->dtype, DType::kUint8);
  EXPECT_THAT(node(result, "pre").folded, ElementsAre("quantize uint8 1x3x8x8 (scale 0.5, zero point 128)"));
  EXPECT_EQ(node(result, "boxes").folded.size(), 2U);
  EXPECT_EQ(node(result, "boxes").routes[0].inputs[0][0].tensor->dtype, DType::kUint8);
  EXPECT_THAT(
      result.plan->adjustments,
      Contains("quantize is folded into 'pre': it writes uint8 1x3x8x8 (scale 0.5, zero point 128) itself"));
}

TEST(Convert, InsertsNodesWhereNeighboursCannot) {
  const PlanResult result = plan_of(pipeline("prefloat", "floatdetect"));
  ASSERT_TRUE(result.plan);
  ASSERT_EQ(result.plan->nodes.size(), 8U);
  const NodePlan& quantize = node(result, "face.quantize");
  EXPECT_EQ(quantize.inserted, "'face' takes uint8 1x3x8x8 (scale 0.5, zero point 128) from 'pre'");
  EXPECT_EQ(quantize.file_index, node(result, "face").file_index);
  EXPECT_EQ(quantize.source, 0);
  EXPECT_EQ(quantize.routes[0].inputs[0][0].tensor->dtype, DType::kFloat32);
  EXPECT_EQ(quantize.routes[0].outputs[0].tensor->dtype, DType::kUint8);
  EXPECT_EQ(edge(result, "pre", "face.quantize").from_output, 0);
  EXPECT_EQ(edge(result, "face.quantize", "face").to_port, 0);
  EXPECT_EQ(edge(result, "face", "boxes.dequantize.2").from_output, 1);
  EXPECT_EQ(node(result, "boxes").routes[0].inputs[0][1].tensor->dtype, DType::kFloat32);
  EXPECT_GT(quantize.outputs[0].buffers, 0);
}

// Indices and the like: they carry no quantisation, but are integers.
TEST(Convert, APlainInt64InputIsRoundedToo) {
  const PlanResult result = plan_of(pipeline("prefloat", "floatdetect", "plain64.onnx"));
  ASSERT_TRUE(result.plan);
  const NodePlan& quantize = node(result, "face.quantize");
  EXPECT_EQ(quantize.inserted, "'face' takes int64 1x3x8x8 from 'pre'");
  EXPECT_EQ(quantize.routes[0].outputs[0].tensor->dtype, DType::kInt64);
}

TEST(Convert, SharesAnInsertedNode) {
  const PlanResult result = plan_of(
      "models: {face: {path: quant.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: prefloat, "
      "inputs: cam}\n"
      "- {id: a, type: infer, inputs: pre, options: {model: face}}\n- {id: b, type: infer, inputs: pre, "
      "options: {model: face}}\n"
      "- {id: out, type: sink, inputs: [a, b]}\n");
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(result.plan->nodes.size(), 6U);
  EXPECT_EQ(edge(result, "a.quantize", "b").from_output, 0);
}

TEST(Convert, FoldsOnlyWhenEveryReaderAgrees) {
  const PlanResult result = plan_of(
      "models: {q: {path: quant.onnx}, f: {path: float.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: "
      "pre, type: pre, inputs: cam}\n"
      "- {id: a, type: infer, inputs: pre, options: {model: q}}\n- {id: b, type: infer, inputs: pre, "
      "options: {model: f}}\n"
      "- {id: out, type: sink, inputs: [a, b]}\n");
  ASSERT_TRUE(result.plan);
  EXPECT_EQ(node(result, "pre").routes[0].outputs[0].tensor->dtype, DType::kFloat32);
  EXPECT_EQ(node(result, "a.quantize").routes[0].outputs[0].tensor->dtype, DType::kUint8);
}

TEST(Convert, FoldsThroughNodesThatPassOn) {
  const PlanResult result = plan_of(
      "models: {q: {path: quant.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: pre, inputs: "
      "cam}\n"
      "- {id: p, type: pass, inputs: pre}\n- {id: a, type: infer, inputs: p, options: {model: q}}\n- {id: "
      "out, type: void, inputs: a}\n");
  EXPECT_EQ(node(result, "p").routes[0].outputs[0].tensor->dtype, DType::kUint8);
  EXPECT_EQ(result.plan->nodes.size(), 5U);
}

TEST(Convert, APlainIntegerInputIsWrittenRounded) {
  const PlanResult result = plan_of(pipeline("pre", "detect", "plain.onnx"));
  EXPECT_EQ(node(result, "pre").routes[0].outputs[0].tensor->dtype, DType::kUint8);
  EXPECT_FALSE(node(result, "pre").routes[0].outputs[0].tensor->quant);
}

TEST(Convert, OneModelsNumbersBecomeAnothers) {
  const PlanResult result = plan_of(
      "models: {q: {path: quant.onnx}, c: {path: chain.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: "
      "pre, type: pre, inputs: cam}\n"
      "- {id: a, type: infer, inputs: pre, options: {model: q}}\n- {id: b, type: infer, inputs: a, options: "
      "{model: c}}\n- {id: out, type: void, inputs: b}\n");
  ASSERT_TRUE(result.plan) << result.issues.front().message;
  EXPECT_EQ(edge(result, "a", "b.dequantize").from_output, 0);
  EXPECT_EQ(edge(result, "b.dequantize", "b.quantize").from_output, 0);
  EXPECT_EQ(edge(result, "b.quantize", "b").from_output, 0);
}

TEST(Convert, WrittenParametersThatContradictNameBothScales) {
  const auto with_scale = [](const std::string& scale) {
    return issues_of(
        "models: {q: {path: quant.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: prefloat, "
        "inputs: cam}\n"
        "- {id: own, type: quantize, inputs: pre, options: {scale: " +
        scale +
        "}}\n"
        "- {id: a, type: infer, inputs: own, options: {model: q}}\n- {id: out, type: void, inputs: a}\n");
  };
  EXPECT_THAT(with_scale("0.5"), IsEmpty());
  EXPECT_THAT(with_scale("0.75"),
              ElementsAre("7:32: node 'a': input 'image' of model 'q' takes uint8 1x3x8x8 (scale 0.5, zero "
                          "point 128), but 'own' gives uint8 1x3x8x8 "
                          "(scale 0.75, zero point 128)"));
}

// Whichever of its readers stands first in the file.
TEST(Convert, AQuantizeWithoutOptionsTakesThemFromTheReaderThatHasThem) {
  const std::string float_one = "- {id: f, type: infer, inputs: own, options: {model: f}}\n";
  const std::string integer_one = "- {id: q, type: infer, inputs: own, options: {model: q}}\n";
  for (const std::string& readers : {float_one + integer_one, integer_one + float_one}) {
    const PlanResult result = plan_of(
        "models: {f: {path: float.onnx}, q: {path: quant.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: "
        "pre, type: prefloat, inputs: cam}\n- {id: own, type: quantize, inputs: pre}\n" +
        readers + "- {id: out_f, type: void, inputs: f}\n- {id: out_q, type: void, inputs: q}\n");
    ASSERT_TRUE(result.plan) << readers;
    EXPECT_EQ(node(result, "own").routes[0].outputs[0].tensor->dtype, DType::kUint8) << readers;
    EXPECT_EQ(edge(result, "own", "q").to_port, 0);
    EXPECT_EQ(edge(result, "f.dequantize", "f").to_port, 0);
  }
}

TEST(Convert, ShapesMustFit) {
  EXPECT_THAT(issues_of(pipeline("prefloat", "detect", "small.onnx")),
              ElementsAre("6:35: node 'face': input 'image' of model 'face' takes float32 1x3x4x4, but 'pre' "
                          "gives float32 1x3x8x8"));
}

TEST(Convert, VariantsAreComparedToo) {
  const std::string text =
      "models: {q: {path: quant.onnx, variants: {v: quant2.onnx}}}\nnodes:\n- {id: cam, type: source}\n- "
      "{id: pre, type: prefloat, inputs: cam}\n"
      "- {id: own, type: quantize, inputs: pre, options: {scale: 0.5}}\n- {id: a, type: infer, inputs: own, "
      "options: {model: q, policy: ";
  EXPECT_THAT(issues_of(text + "fixed}}\n- {id: out, type: void, inputs: a}\n"), IsEmpty());
  EXPECT_THAT(issues_of(text + "balanced}}\n- {id: out, type: void, inputs: a}\n"),
              ElementsAre(HasSubstr("of model 'q', variant 'v', takes uint8 1x3x8x8 (scale 0.75")));
}

TEST(Convert, OneRouteMayNeedWhatAnotherDoesNot) {
  const PlanResult result = plan_of(
      "models: {q: {path: float.onnx, variants: {v: quant.onnx}}}\nnodes:\n- {id: cam, type: source}\n- {id: "
      "pre, type: prefloat, inputs: cam}\n"
      "- {id: a, type: infer, inputs: pre, options: {model: q, policy: balanced}}\n- {id: out, type: void, "
      "inputs: a}\n");
  const NodePlan& quantize = node(result, "a.quantize");
  ASSERT_EQ(quantize.routes.size(), 2U);
  EXPECT_EQ(quantize.routes[0].outputs[0].tensor->dtype, DType::kFloat32);  // passes on
  EXPECT_EQ(quantize.routes[1].outputs[0].tensor->dtype, DType::kUint8);
}

}  // namespace
}  // namespace sluice::testing
