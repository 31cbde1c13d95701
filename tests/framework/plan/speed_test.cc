// Large files are planned at once: 1,000 nodes in 100 ms, 100 in a fraction of check's 50 ms. A margin of
// five.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

std::string large(int nodes) {
  std::string text =
      "version: 1\nmodels: {face: {path: float.onnx}}\nnodes:\n- {id: cam, type: source, options: {live: "
      "true}}\n";
  for (int i = 0; i + 5 <= nodes; i += 5) {
    const std::string n = std::to_string(i);
    text += "- {id: pre" + n + ", type: pre, inputs: cam, options: {model: face}}\n- {id: face" + n +
            ", type: infer, inputs: pre" + n + ", options: {model: face}}\n- {id: boxes" + n +
            ", type: detect, inputs: face" + n + "}\n- {id: d" + n +
            ", type: draw, inputs: {image: cam, detections: boxes" + n + "}}\n- {id: out" + n +
            ", type: void, inputs: d" + n + "}\n";
  }
  return text;
}

// The best of five, in ms.
double plan_time(int nodes) {
  const ParsedSpec parsed = parse_spec_text(large(nodes));
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const PlanResult result = make_plan(parsed.spec, plan_inputs());
    best = std::min(
        best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    EXPECT_TRUE(result.plan) << result.issues.front().message;
  }
  return best;
}

TEST(Speed, OfLargeFiles) {
  const double thousand = plan_time(1000);
  RecordProperty("ms_1000_nodes", std::to_string(thousand));
  EXPECT_LT(thousand, 500);
  EXPECT_LT(plan_time(100), 50);
}

}  // namespace
}  // namespace sluice::testing
