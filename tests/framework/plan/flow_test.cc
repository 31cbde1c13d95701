// Modes, pace, policies, units, capacities, credits and slots.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string simple(const std::string& source, const std::string& flow = "",
                   const std::string& input = "cam") {
  return (flow.empty() ? "" : "flow: {" + flow + "}\n") + "nodes:\n- {id: cam, type: source, options: {" +
         source + "}}\n- {id: out, type: sink, inputs: " + input + "}\n";
}

TEST(Mode, IsImpliedByTheSources) {
  EXPECT_TRUE(plan_of(simple("")).plan->lossless);
  EXPECT_TRUE(plan_of(simple("pace: max")).plan->lossless);
  EXPECT_FALSE(plan_of(simple("pace: 30")).plan->lossless);
  EXPECT_FALSE(plan_of(simple("pace: realtime")).plan->lossless);
  EXPECT_FALSE(plan_of(simple("live: true")).plan->lossless);
  EXPECT_FALSE(plan_of(simple("", "mode: realtime")).plan->lossless);
  EXPECT_TRUE(plan_of(simple("pace: 30", "mode: lossless")).plan->lossless);
  EXPECT_THAT(plan_of(simple("live: true")).plan->adjustments,
              Contains("flow.mode is realtime: source 'cam' is live"));
}

TEST(Mode, LosslessCannotThrottleALiveSource) {
  EXPECT_THAT(issues_of(simple("live: true", "mode: lossless")),
              ElementsAre("2:14: flow.mode is 'lossless', but source 'cam' is live and cannot be throttled; "
                          "allowed: realtime"));
}

TEST(Mode, PaceActsOnFiles) {
  PlanInputs inputs = plan_inputs();
  inputs.pace = "15";
  const PlanResult result = plan_of(simple("pace: max"), inputs);
  EXPECT_FALSE(result.plan->lossless);
  EXPECT_EQ(result.plan->sources[0].pace, "15");
  EXPECT_EQ(node(result, "cam").options->value("pace"), OptionValue{15.0});
  EXPECT_THAT(issues_of(simple("live: true"), inputs),
              ElementsAre("0:0: --pace acts on files, but every source of this pipeline is live"));
  inputs.pace = "-3";
  EXPECT_THAT(
      issues_of(simple(""), inputs),
      ElementsAre("0:0: --pace is '-3', allowed: realtime, max, or a positive number of frames per second"));
  EXPECT_THAT(issues_of(simple("live: true, pace: max")),
              ElementsAre("3:8: warning: node 'cam': pace 'max' has no effect, a live source sets its own"));
}

// What an application pushes comes when it comes; of a source that is wrong itself nothing is said.
TEST(Mode, PaceDoesNotActOnWhatIsPushed) {
  Registry types = registry();
  NodeDeclaration pushed = *types.find("source");
  pushed.type = "app_source";
  ASSERT_TRUE(types.add(std::move(pushed)).ok());
  PlanInputs inputs = plan_inputs();
  inputs.registry = &types;
  inputs.pace = "15";
  const std::string pushes = "nodes:\n- {id: app, type: app_source}\n- {id: out, type: void, inputs: app}\n";
  EXPECT_THAT(issues_of(pushes, inputs),
              ElementsAre("0:0: --pace acts on files, but every source of this pipeline is live or pushed to "
                          "by the application"));
  const PlanResult both =
      plan_of(pushes + "- {id: cam, type: source}\n- {id: out2, type: void, inputs: cam}\n", inputs);
  ASSERT_TRUE(both.plan);
  EXPECT_TRUE(both.plan->lossless);
  EXPECT_EQ(both.plan->sources[0].pace, "max");
  EXPECT_EQ(both.plan->sources[1].pace, "15");
  inputs.set = {{"app.nope", "1"}};
  EXPECT_THAT(issues_of(pushes, inputs), ElementsAre(::testing::HasSubstr("unknown option 'nope'")));
}

TEST(Policies, LossIsRefusedInAWrittenLossless) {
  EXPECT_THAT(issues_of(simple("", "mode: lossless, deadline_ms: 50", "{from: cam, when_full: drop_oldest}")),
              ElementsAre("2:37: flow.deadline_ms contradicts flow.mode 'lossless', which never drops a "
                          "frame; write 'mode: realtime' or remove it",
                          "5:56: node 'out': 'when_full: drop_oldest' contradicts flow.mode 'lossless', "
                          "which never drops a frame; write 'mode: "
                          "realtime' or remove it"));
  EXPECT_THAT(
      issues_of("flow: {mode: lossless}\nnodes:\n- {id: cam, type: source}\n- {id: s, type: drop_stale, "
                "inputs: cam, options: {max_age_ms: 5}}\n- {id: out, type: void, inputs: s}\n"),
      ElementsAre(HasSubstr("5:8: node 's': 'drop_stale' contradicts flow.mode 'lossless'")));
}

TEST(Policies, LossIsIgnoredAndSaidInAnImpliedLossless) {
  const std::string text = simple("", "deadline_ms: 50", "{from: cam, when_full: drop_newest}");
  EXPECT_THAT(issues_of(text),
              ElementsAre("2:21: warning: flow.deadline_ms is ignored: flow.mode is lossless here, because "
                          "the sources are files without a pace",
                          HasSubstr("warning: node 'out': 'when_full: drop_newest' is ignored")));
  const PlanResult result = plan_of(text);
  EXPECT_EQ(result.plan->deadline, 0);
  EXPECT_EQ(edge(result, "cam", "out").when_full, WhenFull::kBlock);
}

TEST(Policies, BlockIsRefusedInRealtime) {
  EXPECT_THAT(issues_of(simple("live: true", "", "{from: cam, when_full: block}")),
              ElementsAre("4:56: node 'out': 'when_full: block' contradicts mode 'realtime', which never "
                          "queues up; allowed: drop_oldest, drop_newest"));
}

constexpr const char* kPreview = "models: {face: {path: float.onnx}}\n";
std::string preview(const std::string& flow) {
  return kPreview + std::string(flow.empty() ? "" : "flow: {" + flow + "}\n") +
         "nodes:\n- {id: cam, type: source, options: {live: true}}\n- {id: pre, type: pre, inputs: cam, "
         "options: {model: face}}\n"
         "- {id: face, type: infer, inputs: pre, options: {model: face, concurrency: 1}}\n- {id: boxes, "
         "type: detect, inputs: face}\n"
         "- {id: overlay, type: draw, inputs: {image: cam, detections: {from: boxes, sync: latest, "
         "max_age_ms: 500}}}\n"
         "- {id: preview, type: sink, inputs: overlay}\n- {id: out, type: sink, inputs: boxes}\n";
}

TEST(Realtime, SlowStagesHoldOneFrameAndDropTheOldest) {
  const PlanResult result = plan_of(preview("deadline_ms: 100"));
  ASSERT_TRUE(result.plan);
  for (const auto& [from, to] : {std::pair{"pre", "face"}, {"overlay", "preview"}, {"boxes", "out"}}) {
    EXPECT_EQ(edge(result, from, to).capacity, 1) << to;
    EXPECT_EQ(edge(result, from, to).when_full, WhenFull::kDropOldest) << to;
  }
  EXPECT_EQ(edge(result, "cam", "pre").capacity, 0);
  EXPECT_TRUE(edge(result, "boxes", "overlay").latest);
  EXPECT_EQ(edge(result, "boxes", "overlay").max_age, 500'000'000);
  EXPECT_EQ(result.plan->deadline, 100'000'000);
  EXPECT_EQ(result.plan->sources[0].credits, 7);     // 1 + infer 2 + two sinks 2 each
  EXPECT_EQ(result.plan->sources[0].slots, 7 + 10);  // 7 units, of which three hold one frame
}

TEST(Realtime, TooFewCreditsNameTheNumberNeeded) {
  EXPECT_THAT(issues_of(preview("max_in_flight: 2")),
              ElementsAre("3:23: flow.max_in_flight is 2, needed: at least 3; slow branches of source 'cam' "
                          "can hold that many frames less one "
                          "('face' 2) and would starve its other sinks"));
  EXPECT_EQ(plan_of(preview("max_in_flight: 3")).plan->sources[0].credits, 3);
}

TEST(Realtime, WrittenCapacitiesWin) {
  const PlanResult result =
      plan_of(simple("live: true", "", "{from: cam, capacity: 4, when_full: drop_newest}"));
  EXPECT_EQ(edge(result, "cam", "out").capacity, 4);
  EXPECT_EQ(edge(result, "cam", "out").when_full, WhenFull::kDropNewest);
  EXPECT_EQ(result.plan->sources[0].credits, 6);
}

TEST(Realtime, BranchesWithoutASinkAreBoundedToo) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source, options: {live: true}}\n- {id: w, type: work, inputs: cam}\n"
      "- {id: j, type: join, inputs: [cam, {from: w, sync: latest}]}\n- {id: out, type: sink, inputs: j}\n");
  EXPECT_EQ(edge(result, "cam", "w").capacity, 1);
  EXPECT_EQ(edge(result, "cam", "j").capacity, 0);
}

// Frames that overtook another in a parallel node wait for it without a credit.
TEST(Realtime, BranchesWithoutASinkBoundWhatOvertakes) {
  std::string text = preview("");
  const auto replace = [&text](const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
  };
  const auto may_overtake = [&text] {
    const PlanResult result = plan_of(text);
    const auto boxes = std::ranges::find(result.plan->nodes, "boxes", &NodePlan::id);
    return result.plan->units[static_cast<std::size_t>(boxes->unit)].may_overtake;
  };
  replace("concurrency: 1", "concurrency: 4");
  EXPECT_EQ(may_overtake(), 0) << "a sink waits for it";
  replace("\n- {id: out, type: sink, inputs: boxes}", "");
  EXPECT_EQ(may_overtake(), 4);
  replace("concurrency: 4", "concurrency: 1");
  EXPECT_EQ(may_overtake(), 0) << "nothing overtakes";
}

TEST(Lossless, EveryExactEdgeBlocksAtTheCredits) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: w, type: work, inputs: cam}\n- {id: out, type: sink, "
      "inputs: w}\n");
  EXPECT_EQ(result.plan->sources[0].credits, 5);  // 2 + three units
  EXPECT_EQ(result.plan->sources[0].slots, 5);
  EXPECT_EQ(edge(result, "cam", "w").capacity, 5);
  EXPECT_EQ(edge(result, "w", "out").when_full, WhenFull::kBlock);
  EXPECT_EQ(plan_of(simple("", "max_in_flight: 1")).plan->sources[0].credits, 1);
}

TEST(Units, CheapChainsRunAsOneTask) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: a, type: pass, inputs: cam}\n- {id: b, type: pass, inputs: "
      "a}\n"
      "- {id: c, type: pass, inputs: b}\n- {id: w, type: work, inputs: c}\n- {id: d, type: pass, inputs: "
      "w}\n- {id: out, type: void, inputs: d}\n");
  EXPECT_EQ(node(result, "a").unit, node(result, "c").unit);
  EXPECT_NE(node(result, "a").unit, node(result, "w").unit);
  EXPECT_NE(node(result, "d").unit, node(result, "out").unit);
  EXPECT_EQ(result.plan->units.size(), 5U);
  EXPECT_EQ(edge(result, "a", "b").capacity, 0);
  EXPECT_THAT(result.plan->adjustments, Contains("'a', 'b', 'c' run as one task"));
}

TEST(Units, AreNotFusedAcrossBranchesMailboxesAndWrittenCapacities) {
  const auto units = [](const std::string& b, const std::string& more) {
    const PlanResult result = plan_of(
        "nodes:\n- {id: cam, type: source, options: {live: true}}\n- {id: a, type: pass, inputs: cam}\n- "
        "{id: b, " +
        b + "}\n- {id: out, type: void, inputs: b}\n" + more);
    return node(result, "a").unit == node(result, "b").unit;
  };
  EXPECT_TRUE(units("type: pass, inputs: a", ""));
  EXPECT_FALSE(units("type: pass, inputs: {from: a, capacity: 2}", ""));
  EXPECT_FALSE(units("type: pass, inputs: a", "- {id: out2, type: void, inputs: a}\n"));
  EXPECT_FALSE(units("type: pass, inputs: a",
                     "- {id: j, type: join, inputs: [cam, {from: a, sync: latest}]}\n- {id: out2, type: "
                     "void, inputs: j}\n"));
  EXPECT_FALSE(units("type: work, inputs: a", ""));
}

TEST(Concurrency, UsesTheCoresThatAreThere) {
  const std::string text =
      "models: {face: {path: float.onnx}}\nbackends: {cpu: {threads: 2}}\nnodes:\n- {id: cam, type: "
      "source}\n- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
      "- {id: face, type: infer, inputs: pre, options: {model: face, backends: [";
  PlanInputs inputs = plan_inputs();
  inputs.cores = 8;
  EXPECT_EQ(
      node(plan_of(text + "cpu]}}\n- {id: out, type: void, inputs: face}\n", inputs), "face").concurrency, 4);
  EXPECT_EQ(
      node(plan_of("flow: {mode: realtime}\n" + text + "cpu]}}\n- {id: out, type: void, inputs: face}\n",
                   inputs),
           "face")
          .concurrency,
      2);
  EXPECT_EQ(
      node(plan_of(text + "htp]}}\n- {id: out, type: void, inputs: face}\n", inputs), "face").concurrency, 2);
  EXPECT_EQ(
      node(plan_of(text + "cpu], concurrency: 3}}\n- {id: out, type: void, inputs: face}\n", inputs), "face")
          .concurrency,
      3);
}

}  // namespace
}  // namespace sluice::testing
