// Nodes with `device: auto` go where their readers are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "framework/node/chosen_device.h"
#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

// `placed` with these options before `face` with these.
PlanResult plan_with(const std::string& placed, const std::string& face, const std::string& more = "",
                     const PlanInputs& inputs = plan_inputs(), const std::string& model = "float.onnx") {
  return plan_of("models: {face: {path: " + model +
                     "}}\nnodes:\n- {id: cam, type: source}\n"
                     "- {id: pre, type: placed, inputs: cam, options: {model: face" +
                     placed + "}}\n- {id: face, type: infer, inputs: pre, options: {model: face" + face +
                     "}}\n- {id: out, type: void, inputs: face}\n" + more,
                 inputs);
}

// Where the plan put `pre`: the device's name; empty: it chose nothing.
std::string place_of(const PlanResult& result) {
  if (!result.plan) return "no plan: " + result.issues.front().message;
  const NodePlan& pre = node(result, "pre");
  const bool chosen = pre.options->has(kChosenDevice);
  EXPECT_EQ(pre.thread, chosen ? ThreadKind::kOwn : ThreadKind::kWorker) << "the gpu is waited for";
  return chosen ? pre.options->text(kChosenDevice) : "";
}

TEST(Devices, BeforeAnInferNodeThatRunsOnTheGpuFirstItIsTheGpu) {
  const PlanResult result = plan_with("", ", backends: [gpu, cpu]");
  EXPECT_EQ(place_of(result), "gpu");
  EXPECT_THAT(result.plan->adjustments,
              Contains("node 'pre' works on the gpu: node 'face' reads its output there"));
}

TEST(Devices, ElseItIsTheCpu) {
  EXPECT_EQ(place_of(plan_with("", "")), "");
  EXPECT_EQ(place_of(plan_with("", ", backends: [cpu, gpu]")), "");
  EXPECT_EQ(place_of(plan_with("", ", backends: [htp, gpu, cpu]")), "");
  EXPECT_EQ(place_of(plan_with(", device: cpu", ", backends: [gpu]")), "") << "the file's word holds";
  const PlanResult written = plan_with(", device: gpu", ", backends: [gpu]");
  EXPECT_EQ(place_of(written), "") << "nothing to choose";
  EXPECT_THAT(written.plan->adjustments, Not(Contains(HasSubstr("works on the gpu"))));
}

TEST(Devices, EveryReaderMustBeThere) {
  const auto second = [](const std::string& backends) {
    return "- {id: more, type: infer, inputs: pre, options: {model: face, backends: [" + backends +
           "]}}\n- {id: out2, type: void, inputs: more}\n";
  };
  EXPECT_EQ(place_of(plan_with("", ", backends: [gpu]", second("gpu, cpu"))), "gpu");
  EXPECT_EQ(place_of(plan_with("", ", backends: [gpu]", second("cpu"))), "");
  EXPECT_EQ(place_of(plan_with("", ", backends: [gpu]", "- {id: tap, type: void, inputs: pre}\n")), "")
      << "a sink reads it in the host's memory";
}

// What the range of a quantised input does not hold is counted in every report, and only the cpu counts it.
TEST(Devices, QuantisedTensorsAreMadeOnTheCpu) {
  const PlanResult result = plan_with("", ", backends: [gpu]", "", plan_inputs(), "quant.onnx");
  EXPECT_EQ(place_of(result), "");
  EXPECT_THAT(result.plan->adjustments, Not(Contains(HasSubstr("works on the gpu"))));
}

TEST(Devices, TheReadersOpenClDeviceIsTakenUnlessTheNodeNamesOne) {
  const auto device_of = [](const PlanResult& result) {
    return Options(node(result, "pre").options->map("gpu")).text("device");
  };
  EXPECT_EQ(device_of(plan_with("", ", backends: [gpu], gpu: {device: mali}")), "mali");
  EXPECT_EQ(device_of(plan_with(", gpu: {device: adreno}", ", backends: [gpu], gpu: {device: mali}")),
            "adreno");
  PlanInputs inputs = plan_inputs();
  inputs.set = {{"face.backends", "[gpu]"}, {"pre.gpu.device", "pocl"}};
  EXPECT_EQ(device_of(plan_with("", "", "", inputs)), "pocl") << "what --set says counts like the file";
}

}  // namespace
}  // namespace sluice::testing
