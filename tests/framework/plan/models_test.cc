// The stage 'models': files that cannot be used, batches, variants and their routes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string pipeline(const std::string& models, const std::string& infer = "", const std::string& more = "") {
  return "models: " + models +
         "\nnodes:\n- {id: cam, type: source}\n- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
         "- {id: face, type: infer, inputs: pre, options: {model: face" +
         infer + "}}\n" + more +
         "- {id: boxes, type: detect, inputs: face}\n- {id: out, type: void, inputs: boxes}\n";
}

TEST(Models, AMissingOneIsReportedWhereItIsNamed) {
  EXPECT_THAT(issues_of(pipeline("{face: {path: nowhere.onnx}, unused: {path: gone.onnx}}")),
              ElementsAre("2:23: model 'face': 'dir/nowhere.onnx' does not exist (3)",
                          "2:53: model 'unused': 'dir/gone.onnx' does not exist (3)"));
}

TEST(Models, ErrorsOfTheFileComeBeforeModelsAreRead) {
  EXPECT_THAT(issues_of(pipeline("{face: {path: nowhere.onnx}}", ", concurrency: 0")),
              ElementsAre(HasSubstr("option 'concurrency' is 0")));
}

TEST(Models, OpenDimensionsMustBeFixed) {
  EXPECT_THAT(issues_of(pipeline("{face: {path: open.onnx}}")),
              ElementsAre("2:23: model 'face': input 'image' is 1x3x?x8 and buffers need sizes; fix the "
                          "symbolic dimensions with `dims` (3)"));
}

TEST(Models, AVariantHasTheSameNames) {
  EXPECT_THAT(issues_of(pipeline("{face: {path: float.onnx, variants: {v: names.onnx}}}")),
              ElementsAre("2:49: model 'face', variant 'v': its outputs are other, b, but the model's are a, "
                          "b; a variant has the same, by name (3)"));
}

TEST(Models, AVariantMayListItsOutputsInAnotherOrder) {
  const PlanResult result =
      plan_of(pipeline("{face: {path: float.onnx, variants: {v: swapped.onnx}}}", ", policy: balanced"));
  const NodePlan& face = node(result, "face");
  ASSERT_EQ(face.routes.size(), 2U);
  for (const NodeRoute& route : face.routes) {
    EXPECT_EQ(route.outputs[0].name, "a");
    EXPECT_EQ(route.outputs[1].name, "b");
  }
  EXPECT_EQ(face.routes[1].outputs[0].tensor->shape, face.routes[0].outputs[0].tensor->shape);
}

TEST(Batches, NeedASymbolicFirstDimension) {
  EXPECT_THAT(
      issues_of(pipeline("{face: {path: float.onnx}}", ", batch: {max: 4}")),
      ElementsAre("2:23: model 'face': node 'face' batches up to 4 frames, but the first dimension of its "
                  "inputs and outputs is fixed; "
                  "export the model with a symbolic one, take it out of `dims`, or set batch.max to 1 (3)"));
  EXPECT_THAT(issues_of(pipeline("{face: {path: batch.onnx}}", ", batch: {max: 4}")), IsEmpty());
}

TEST(Batches, NodesThatShareASessionAgree) {
  const std::string other =
      "- {id: b, type: infer, inputs: pre, options: {model: face, batch: {max: 2}}}\n- {id: out2, type: "
      "void, inputs: b}\n";
  EXPECT_THAT(issues_of(pipeline("{face: {path: batch.onnx}}", ", batch: {max: 4}", other)),
              ElementsAre("7:67: node 'b': option 'batch' differs from that of node 'face' (max 2 and 4), "
                          "and both share the session of model "
                          "'face'; write the same in both"));
  EXPECT_THAT(issues_of(pipeline("{face: {path: batch.onnx}}", ", batch: {max: 4}, backends: [fake]", other)),
              IsEmpty());
}

TEST(Batches, EdgesIntoThemAndTheirSinksHoldThatMany) {
  const PlanResult result =
      plan_of("flow: {mode: realtime}\n" + pipeline("{face: {path: batch.onnx}}", ", batch: {max: 4}"));
  EXPECT_EQ(edge(result, "pre", "face").capacity, 4);
  EXPECT_EQ(edge(result, "boxes", "out").capacity, 4);
  EXPECT_EQ(edge(result, "cam", "pre").capacity, 0);
  EXPECT_EQ(node(result, "face").concurrency, 4);
}

TEST(Routes, OnePerVariantThatMayBeChosen) {
  const std::string models =
      "{face: {path: float.onnx, variants: {small: small.onnx, q: {path: quant.onnx}}}}";
  const PlanResult fixed = plan_of(pipeline(models));
  EXPECT_EQ(node(fixed, "face").routes.size(), 1U);
  EXPECT_EQ(node(fixed, "face").choice, -1);
  for (const char* option : {", policy: balanced", ", degrade: [{variant: small}]"}) {
    const PlanResult result = plan_of(pipeline(models, option));
    ASSERT_EQ(result.plan->choices.size(), 1U) << option;
    EXPECT_THAT(result.plan->choices[0].variants, ElementsAre("", "small", "q"));
    for (const char* id : {"pre", "face", "boxes"}) EXPECT_EQ(node(result, id).routes.size(), 3U) << id;
    EXPECT_EQ(node(result, "out").routes.size(), 1U);
    const NodePlan& pre = node(result, "pre");
    EXPECT_EQ(pre.routes[0].outputs[0].tensor->shape.text(), "1x3x8x8");
    EXPECT_EQ(pre.routes[1].outputs[0].tensor->shape.text(), "1x3x4x4");
    EXPECT_EQ(pre.routes[2].outputs[0].tensor->dtype, DType::kUint8);
    EXPECT_EQ(pre.outputs[0].buffer_bytes, 3U * 8 * 8 * 4);  // the largest
    EXPECT_THAT(node(result, "boxes").folded,
                ElementsAre(HasSubstr("dequantize uint8"), HasSubstr("dequantize uint8")));
  }
}

TEST(Routes, TwoModelsWithVariantsCannotShareATensor) {
  const std::string models =
      "{face: {path: float.onnx, variants: {v: float.onnx}}, b: {path: float.onnx, variants: {v: "
      "float.onnx}}}";
  EXPECT_THAT(issues_of(pipeline(models, ", policy: balanced",
                                 "- {id: b, type: infer, inputs: pre, options: {model: b, policy: "
                                 "balanced}}\n- {id: out2, type: void, inputs: b}\n")),
              ElementsAre(HasSubstr("7:8: node 'b': it exchanges tensors with 'face', and both their models "
                                    "('face', 'b') have variants in use")));
}

TEST(Routes, AMailboxCannotHoldATensorThatChangesWithTheVariant) {
  const std::string models = "{face: {path: float.onnx, variants: {q: {path: quant.onnx}}}}";
  EXPECT_THAT(
      issues_of(pipeline(models, ", policy: balanced",
                         "- {id: t, type: pass, inputs: cam}\n- {id: d, type: floatdetect, inputs: {tensors: "
                         "{from: face, sync: latest}}}\n"
                         "- {id: out2, type: void, inputs: t}\n- {id: out3, type: void, inputs: d}\n")),
      Contains(HasSubstr("nothing would ever start it")));
}

TEST(Models, ASymbolicFirstDimensionIsOneFrameAndSaid) {
  const PlanResult result = plan_of(pipeline("{face: {path: batch.onnx}}"));
  EXPECT_THAT(result.plan->adjustments,
              Contains("model 'face': its symbolic first dimension is 1, one frame per run"));
}

}  // namespace
}  // namespace sluice::testing
