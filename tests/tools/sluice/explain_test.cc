#include "tools/sluice/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

TEST(Explain, SaysWhyAndWhatWasPredicted) {
  const auto words = explain(R"({"version": 1, "simulated": true, "inference": [
    {"node": "face", "model": "m", "requested": ["htp", "cpu"], "warnings": ["one"], "decisions": [
      {"at_s": 0, "backend": "htp", "variant": null, "performance_mode": "burst", "step": 0, "reason": "policy latency: the first choice; predicted: htp, burst 900.0 fps, 1.1 ms; cpu 50.0 fps, 20.0 ms"},
      {"at_s": 62.5, "backend": "cpu", "variant": "small", "performance_mode": null, "step": 2, "reason": "htp failed; failures of late: 1"}]}]})");
  ASSERT_TRUE(words.ok()) << words.status().message();
  EXPECT_EQ(*words,
            "simulated: something in this run did not run on what it is named after\n"
            "node 'face', model 'm', backends htp, cpu: 1 change\n"
            "         0.0 s  htp, burst\n"
            "      why: policy latency: the first choice\n"
            "      predicted then:\n"
            "        htp, burst 900.0 fps, 1.1 ms\n"
            "        cpu 50.0 fps, 20.0 ms\n"
            "        62.5 s  cpu, variant small, step 2 of degrade\n"
            "      why: htp failed; failures of late: 1\n"
            "  warning: one\n");
}

TEST(Explain, AThermalTestsChangesWithTheirReasons) {
  const auto words = explain(R"({"runs": [{"policy": "sustained", "switches": 1, "windows": [
    {"t_s": 10, "seconds": 10, "backend": {"face": "htp"}, "performance_mode": {"face": "burst"}, "step": {"face": 0},
     "reason": {"face": "policy sustained: the first choice; predicted: htp, burst 30.0 fps, 1.1 ms; gpu 20.0 fps, 9.0 ms"},
     "changes": {"face": 1}},
    {"t_s": 20, "backend": {"face": "htp"}, "performance_mode": {"face": "burst"}, "step": {"face": 0},
     "reason": {"face": "policy sustained: the first choice; predicted: htp, burst 30.0 fps, 1.1 ms; gpu 20.0 fps, 9.0 ms"},
     "changes": {"face": 0}},
    {"t_s": 30, "backend": {"face": "gpu"}, "variant": {"face": "small"}, "step": {"face": 1},
     "reason": {"face": "degrade: step 1"}, "changes": {"face": 2}, "decisions": {"face": [
       {"at_s": 21, "backend": "cpu", "reason": "htp failed; failures of late: 1"},
       {"at_s": 29.5, "backend": "gpu", "variant": "small", "step": 1, "reason": "degrade: step 1"}]}}]}]})");
  ASSERT_TRUE(words.ok());
  EXPECT_EQ(*words,
            "policy sustained: 1 change of backend or variant, 1 of performance mode or ladder step alone\n"
            "         0.0 s  face on htp, burst\n"
            "      why: policy sustained: the first choice\n"
            "      predicted then:\n"
            "        htp, burst 30.0 fps, 1.1 ms\n"
            "        gpu 20.0 fps, 9.0 ms\n"
            "        21.0 s  face on cpu\n"
            "      why: htp failed; failures of late: 1\n"
            "        29.5 s  face on gpu, variant small, step 1 of degrade\n"
            "      why: degrade: step 1\n");
}

// What the first window began on and changed: its end alone would not tell.
TEST(Explain, AThermalTestsFirstChoiceThatDidNotLast) {
  const auto words = explain(R"({"runs": [{"policy": "fixed", "switches": 1, "windows": [
    {"t_s": 1, "seconds": 1, "backend": {"net": "cpu"}, "reason": {"net": "fake failed"},
     "first": {"net": {"at_s": 0, "backend": "fake", "reason": "policy fixed: the first choice"}},
     "decisions": {"net": [{"at_s": 0.7, "backend": "cpu", "reason": "fake failed"}]}}]}]})");
  ASSERT_TRUE(words.ok());
  EXPECT_EQ(*words,
            "policy fixed: 1 change of backend or variant\n"
            "         0.0 s  net on fake\n"
            "      why: policy fixed: the first choice\n"
            "         0.7 s  net on cpu\n"
            "      why: fake failed\n");
}

TEST(Explain, WhatIsNoReportIsRefused) {
  EXPECT_THAT(explain("{").status().message(), HasSubstr("not JSON"));
  for (const char* other : {"{}", "[]", "3", "{\"frames\": 1}"})
    EXPECT_THAT(explain(other).status().message(), HasSubstr("neither a report")) << other;
}

TEST(Explain, AVersionThatIsNotKnownIsRefused) {
  for (const char* other : {R"({"version": 2, "runs": []})", R"({"version": "1", "inference": []})"})
    EXPECT_THAT(explain(other).status().message(), HasSubstr("1 is the only one that is known")) << other;
}

TEST(Explain, SimulatedReadingsAreNamed) {
  const auto words =
      explain(R"({"version": 1, "simulated": false, "simulated_readings": "generic", "runs": []})");
  ASSERT_TRUE(words.ok());
  EXPECT_THAT(*words, HasSubstr("are those of profile generic"));
}

TEST(Explain, StrangeValuesAreNoReasonToFail) {
  for (const char* strange :
       {R"({"inference": null})", R"({"inference": [3, null, {"decisions": [4, {"reason": 5}]}]})",
        R"({"runs": [{"windows": [{"backend": 3}, 7]}, null], "simulated": 9})"})
    EXPECT_TRUE(explain(strange).ok()) << strange;
}

}  // namespace
}  // namespace sluice::cli
