// In-place writing, pool sizes, planned bytes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/plan/plan_testing.h"

namespace sluice::testing {
namespace {

using ::testing::Contains;

const OutputPlan& output(const PlanResult& result, std::string_view id) {
  return node(result, id).outputs.at(0);
}

std::string drawing(const std::string& source, const std::string& more, const std::string& image = "cam") {
  return "models: {face: {path: float.onnx}}\nnodes:\n- {id: cam, type: " + source +
         "}\n- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
         "- {id: face, type: infer, inputs: pre, options: {model: face}}\n- {id: boxes, type: detect, "
         "inputs: face}\n"
         "- {id: p, type: pass, inputs: cam}\n- {id: d, type: draw, inputs: {image: " +
         image +
         ", detections: boxes}}\n"
         "- {id: out, type: sink, inputs: d}\n- {id: out2, type: void, inputs: " +
         more + "}\n";
}

TEST(InPlace, TheLastReaderWritesIntoThePacket) {
  // `pre` and `p` have read the picture before `d`, which waits for `boxes` and reads `p`'s.
  const PlanResult result = plan_of(drawing("source", "boxes", "p"));
  ASSERT_TRUE(result.plan) << result.issues.front().message;
  EXPECT_FALSE(output(result, "d").pooled_copy_for_edit);
  EXPECT_EQ(output(result, "d").edited_input, 0);
  EXPECT_EQ(output(result, "p").edited_input, -1) << "hands on what it only read";
  EXPECT_EQ(output(result, "d").buffers, 0);
}

TEST(InPlace, ASharedPacketIsCopied) {
  const PlanResult result = plan_of(drawing("source", "p"));
  EXPECT_TRUE(output(result, "d").pooled_copy_for_edit);
  EXPECT_GT(output(result, "d").buffers, 0);
  EXPECT_THAT(result.plan->adjustments,
              Contains("'d' edits a copy of the image from 'cam': 'p' reads it too"));
}

TEST(InPlace, WhatADecoderStillReadsIsCopied) {
  const PlanResult result = plan_of(drawing("decoder", "boxes", "p"));
  EXPECT_TRUE(output(result, "d").pooled_copy_for_edit);
  EXPECT_THAT(result.plan->adjustments,
              Contains("'d' edits a copy of the image from 'p': 'cam' still reads it"));
}

TEST(InPlace, WhatStaysInAMailboxIsCopied) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: p, type: pass, inputs: cam}\n- {id: d, type: draw, inputs: "
      "p}\n"
      "- {id: j, type: join, inputs: [d, {from: p, sync: latest}]}\n- {id: out, type: void, inputs: j}\n");
  EXPECT_TRUE(output(result, "d").pooled_copy_for_edit);
}

TEST(Pools, LosslessNeedsWhatTheCreditsAllow) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: w, type: join, inputs: cam}\n- {id: j, type: join, inputs: "
      "[cam, w]}\n- {id: out, type: void, inputs: j}\n");
  const int credits = result.plan->sources[0].credits;
  EXPECT_EQ(credits, 6);
  EXPECT_EQ(output(result, "cam").buffers, credits + 1);  // one more waits for its credit
  EXPECT_EQ(output(result, "w").buffers, credits);
}

TEST(Pools, ALosslessSourceWaitsForItsOnlyReader) {
  const PlanResult result = plan_of(
      "flow: {mode: lossless, max_in_flight: 12}\nnodes:\n- {id: cam, type: source}\n- {id: w, type: join, "
      "inputs: cam}\n- {id: out, type: void, inputs: w}\n");
  EXPECT_EQ(output(result, "cam").buffers, 1 + 1 + (1 + 1));  // in the making, handed over, waiting, at work
  EXPECT_EQ(output(result, "w").buffers, 12);  // small, and its node may keep a state: it runs once
}

TEST(Pools, ALosslessTensorWaitsForItsOnlyReader) {
  const std::string text =
      "models: {face: {path: float.onnx}}\nflow: {mode: lossless, max_in_flight: 12}\nnodes:\n"
      "- {id: cam, type: source}\n- {id: pre, type: pre, inputs: cam, options: {model: face}}\n"
      "- {id: face, type: infer, inputs: pre, options: {model: face, concurrency: 3}}\n"
      "- {id: boxes, type: detect, inputs: face}\n- {id: out, type: void, inputs: boxes}\n";
  const PlanResult one = plan_of(text);
  ASSERT_TRUE(one.plan) << one.issues.front().message;
  EXPECT_EQ(output(one, "pre").buffers, 1 + 3);  // in the making, at work
  EXPECT_EQ(output(one, "face").buffers, 12) << "one that overtook another keeps its packet until that comes";
  const PlanResult two = plan_of(text + "- {id: out2, type: void, inputs: pre}\n");
  EXPECT_EQ(output(two, "pre").buffers, 12) << "with two readers the slower one would hold up the other";
}

TEST(Pools, ABoundedReaderNeedsLess) {
  const PlanResult result = plan_of(
      "flow: {mode: realtime, max_in_flight: 12}\nnodes:\n- {id: cam, type: source}\n- {id: w, type: join, "
      "inputs: cam}\n- {id: out, type: sink, inputs: w}\n");
  EXPECT_EQ(output(result, "cam").buffers, 13);
  EXPECT_EQ(output(result, "w").buffers,
            1 + 1 + (1 + 1));  // in the making, handed over, waiting, in the sink
}

TEST(Pools, MailboxesKeepOneAndTheirReaderAnother) {
  const std::string text =
      "nodes:\n- {id: cam, type: source}\n- {id: w, type: join, inputs: cam}\n- {id: j, type: join, inputs: "
      "[cam, {from: w, sync: ";
  const PlanResult exact = plan_of(text + "exact}]}\n- {id: out, type: void, inputs: j}\n");
  const PlanResult latest = plan_of(text + "latest}]}\n- {id: out, type: void, inputs: j}\n");
  EXPECT_EQ(output(exact, "w").buffers, exact.plan->sources[0].credits);
  EXPECT_EQ(output(latest, "w").buffers, 2 + 2);
}

TEST(Pools, NodesThatPassOnHaveNone) {
  const PlanResult result = plan_of(
      "nodes:\n- {id: cam, type: source}\n- {id: s, type: switch, inputs: cam}\n- {id: j, type: join, "
      "inputs: [cam, {from: s.b, sync: latest}]}\n- {id: out, type: void, inputs: [j]}\n");
  EXPECT_EQ(output(result, "s").buffers, 0);
  EXPECT_EQ(output(result, "cam").buffers,
            result.plan->sources[0].credits + 1 + 2);  // the mailbox behind the switch holds it
}

TEST(Pools, ListsMultiply) {
  const PlanResult result = plan_of(
      "models: {face: {path: float.onnx}}\nnodes:\n- {id: cam, type: source}\n- {id: m, type: many, inputs: "
      "cam}\n- {id: pre, type: pre, inputs: m, options: {model: face}}\n"
      "- {id: out, type: void, inputs: pre}\n");
  EXPECT_EQ(output(result, "m").max_packets, 4);
  EXPECT_EQ(output(result, "pre").max_packets, 4);
  EXPECT_EQ(output(result, "pre").buffers % 4, 0);
  EXPECT_EQ(output(result, "pre").buffer_bytes, 768U);
  EXPECT_EQ(result.plan->planned_bytes, 768U * static_cast<std::size_t>(output(result, "pre").buffers));
}

TEST(Pools, MorePacketsThanAPoolHasAreRefused) {
  const auto refused = [](int lists) {
    std::string text = "nodes:\n- {id: m0, type: source}\n", last = "m0";
    for (int i = 1; i <= lists; ++i) {
      const std::string id = "m" + std::to_string(i);
      text.append("- {id: ").append(id).append(", type: many, inputs: ").append(last).append("}\n");
      last = id;
    }
    return issues_of(text + "- {id: out, type: void, inputs: " + last + "}\n");
  };
  EXPECT_THAT(refused(5), ::testing::IsEmpty());
  EXPECT_THAT(refused(7),
              Contains(::testing::HasSubstr("lists of 16384 packets at once, allowed: 65535 packets; lower "
                                            "flow.max_in_flight, or how long its lists may be")));
  EXPECT_THAT(refused(40), Contains(::testing::HasSubstr(
                               "node 'm8': output 'items' would be lists of up to 65536 packets, allowed: "
                               "65535; shorten the lists before it")));
}

}  // namespace
}  // namespace sluice::testing
