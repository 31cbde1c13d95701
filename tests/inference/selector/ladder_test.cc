// choose(): the ladder of `degrade`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "inference/selector/selector.h"
#include "tests/inference/selector/selector_testing.h"

namespace sluice {
namespace {

using ::testing::AnyOf;
using testing::Bench;
using testing::candidate;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::policy_of_kind;

TEST(Ladder, StepsDownWhenNothingKeepsTheLimitsAndUpAgainWithHysteresis) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kFixed);
  policy.max_temperature_c = 60;
  LadderStep slower;
  slower.rate_hz = 5;
  policy.degrade = {slower};
  Bench bench({candidate("htp", 10, 0)}, policy);
  bench.steps(5, 0, 30);
  Decision down;
  for (int i = 0; i < 20 && !down.changed; ++i) down = bench.step(0, 50 + i);
  EXPECT_EQ(down.cause, Cause::kStepDown);
  EXPECT_EQ(down.step, 1);
  EXPECT_THAT(bench.said(down), HasSubstr("degrade: step 1"));
  bench.rate = 5;
  bench.steps(20, 0, 30);
  EXPECT_EQ(bench.state().step, 1);  // cool, but not for long enough
  Decision up;
  int waited = 20;
  for (; waited < 600 && !up.changed; ++waited) up = bench.step(0, 25);
  EXPECT_EQ(up.cause, Cause::kStepUp);
  EXPECT_GE(waited, 30);
}

// A ladder of one step, 5 frames per second instead of 30, under a limit of 60 degrees C.
class HeatLadder : public ::testing::Test {
 protected:
  static SelectorPolicy policy() {
    SelectorPolicy policy = policy_of_kind(PolicyKind::kFixed);
    policy.max_temperature_c = 60;
    policy.degrade.resize(1);
    policy.degrade[0].rate_hz = 5;
    return policy;
  }
  // Seconds in which `celsius`, a function of the ladder's step, is read; the causes of all steps.
  template <typename Celsius>
  std::vector<Cause> run(int seconds, Celsius&& celsius) {
    std::vector<Cause> causes;
    for (int i = 0; i < seconds; ++i) {
      bench.rate = bench.state().step == 0 ? 30 : 5;
      const int before = bench.state().step;
      last = bench.step(0, celsius(before));
      if (last.step != before) causes.push_back(last.cause);
    }
    return causes;
  }
  Bench bench{{candidate("htp", 10, 0)}, policy()};
  Decision last;
};

TEST_F(HeatLadder, IsClimbedAgainWhenTheHeatWasNotItsOwn) {
  double celsius = 25;
  while (bench.state().step == 0 && celsius < 70) run(1, [&](int) { return celsius += 1.0; });
  ASSERT_EQ(last.cause, Cause::kStepDown);
  // Whatever heated the device has ended with that step; the predictor takes it for the load's work.
  EXPECT_THAT(run(119, [](int) { return 30; }), IsEmpty());
  EXPECT_THAT(run(10, [](int) { return 30; }), ElementsAre(Cause::kStepTrial));
  EXPECT_THAT(run(1800, [](int step) { return step == 0 ? 35 : 30; }), IsEmpty());
}

TEST_F(HeatLadder, ATrialThatFailsIsNotRepeatedUntilItIsCooler) {
  double warm = 0;
  const auto own = [&](int step) { return 30 + (warm += ((step == 0 ? 32 : 5) - warm) / 20); };
  std::vector<Cause> causes = run(1800, own);
  EXPECT_LE(causes.size(), 3u);
  EXPECT_EQ(causes.back(), Cause::kStepDown);
  EXPECT_THAT(run(1800, [&](int step) { return own(step) - 10; }),
              ElementsAre(AnyOf(Cause::kStepTrial, Cause::kStepUp)));
}

TEST_F(HeatLadder, FramesThatAreSlowWithoutHeatDoNotStepDown) {
  Bench starved({candidate("htp", 25, 0)}, policy());
  starved.steps(60, 0, 40);
  for (int i = 0; i < 300; ++i) ASSERT_EQ(starved.step(60 + i % 20, 40).step, 0) << i;
}

TEST(Ladder, AVariantNamedInAStepIsNoCandidateBeforeIt) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kThroughput);
  LadderStep small;
  small.variant = "small";
  policy.degrade = {small};
  Bench bench({candidate("htp", 10, 0), candidate("htp", 3, 0, "small")}, policy);
  EXPECT_EQ(bench.step().forecasts[1].exclusion, Exclusion::kStep);
  EXPECT_EQ(bench.current().variant, "");
}

// Two backends, a small variant of the model and half the rate, under a budget of 20 ms and a dwell of 10 s.
class DwellLadder : public ::testing::Test {
 protected:
  static SelectorPolicy policy() {
    SelectorPolicy policy = policy_of_kind(PolicyKind::kLatency);
    policy.latency_budget_ms = 20;
    policy.degrade.resize(2);
    policy.degrade[0].variant = "small";
    policy.degrade[1].rate_hz = 15;
    return policy;
  }
  Bench bench{{candidate("htp", 10, 0), candidate("gpu", 12, 1), candidate("htp", 5, 0, "small"),
               candidate("gpu", 6, 1, "small")},
              policy()};
};

TEST_F(DwellLadder, StepsAndSwitchesAreADwellApart) {
  std::vector<TimeNs> changes;
  bench.step();
  for (int i = 0; i < 100; ++i) {
    if (bench.step(40 + i % 7).changed) changes.push_back(bench.now());
  }
  EXPECT_GE(changes.size(), 4u);
  for (std::size_t i = 1; i < changes.size(); ++i) EXPECT_GE(changes[i] - changes[i - 1], from_s(10)) << i;
}

TEST_F(DwellLadder, IsNotClimbedRightAfterASwitch) {
  bench.state().step = 1;
  bench.state().current = 3;
  bench.state().switched_at = bench.now();
  EXPECT_EQ(bench.steps(9).step, 1);
  EXPECT_EQ(bench.step().step, 0);
}

TEST_F(DwellLadder, AStepForFailureDoesNotWait) {
  bench.step();
  bench.fail(0);
  bench.step();
  ASSERT_EQ(bench.current().backend, "gpu");
  bench.fail(1);
  const Decision down = bench.step();
  EXPECT_EQ(down.step, 1);
  EXPECT_EQ(bench.current().variant, "small");
}

TEST_F(HeatLadder, AStepForHeatDoesNotWait) {
  bench.policy().dwell_s = 1000;
  bench.steps(5, 0, 30);
  bench.state().switched_at = bench.now();
  for (int i = 0; i < 20 && bench.state().step == 0; ++i) bench.step(0, 50 + i);
  EXPECT_EQ(bench.state().step, 1);
}

TEST(Ladder, BeginsOnTheFirstStepThatHasACandidate) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kBalanced);
  policy.degrade.resize(2);
  policy.degrade[0].rate_hz = 15;
  policy.degrade[1].backend = "cpu";
  std::vector<SelectorCandidate> candidates = {candidate("htp", 10, 0), candidate("cpu", 20, 1)};
  candidates[0].unusable = "it is not here";
  Bench bench(candidates, policy);
  const Decision first = bench.step();
  EXPECT_EQ(first.cause, Cause::kStepDown);
  EXPECT_EQ(first.step, 2);
  EXPECT_EQ(bench.current().backend, "cpu");
  EXPECT_EQ(bench.steps(300).step, 2) << "there is nothing above";
}

}  // namespace
}  // namespace sluice
