// choose(): every rule on its own.
#include "inference/selector/selector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "tests/inference/selector/selector_testing.h"

namespace sluice {
namespace {

using testing::Bench;
using testing::candidate;
using ::testing::HasSubstr;
using testing::policy_of_kind;

std::vector<SelectorCandidate> three() {
  return {candidate("htp", 10, 0), candidate("gpu", 20, 1), candidate("cpu", 5, 2)};
}

TEST(Policy, NamesAreTheContracts) {
  for (const char* name : {"fixed", "latency", "throughput", "efficiency", "balanced", "sustained"})
    EXPECT_EQ(name_of(policy_of(name).value()), name);
  EXPECT_FALSE(policy_of("fast").has_value());
}

TEST(Fixed, TakesTheFirstEntryWithTheModelsOwnPath) {
  Bench bench({candidate("htp", 1, 0, "small"), candidate("gpu", 20, 1), candidate("cpu", 5, 2)},
              policy_of_kind(PolicyKind::kFixed));
  EXPECT_EQ(bench.step().cause, Cause::kStart);
  EXPECT_EQ(bench.current().backend, "gpu");
}

TEST(Fixed, LeavesAFailingEntryAtOnceAndComesBackAfterTheDwell) {
  Bench bench(three(), policy_of_kind(PolicyKind::kFixed));
  bench.step();
  bench.fail(0);
  const Decision left = bench.step();
  EXPECT_EQ(left.cause, Cause::kFailure);
  EXPECT_EQ(bench.current().backend, "gpu");
  EXPECT_THAT(bench.said(left), HasSubstr("htp failed; failures of late: 1"));
  note_probe(bench.state(), 0, bench.now(), 10);
  EXPECT_EQ(bench.step().cause, Cause::kDwell);
  Decision back;
  for (int i = 0; i < 10 && !back.changed; ++i) back = bench.step();
  EXPECT_EQ(back.cause, Cause::kRecovered);
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Fixed, DoesNotMoveForHeatOrLatency) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kFixed);
  policy.latency_budget_ms = 6;
  policy.max_temperature_c = 50;
  Bench bench(three(), policy);
  EXPECT_FALSE(bench.steps(20, 12, 80).changed);
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Latency, CountsTheTail) {
  std::vector<SelectorCandidate> candidates = three();
  candidates[2].latency_p95_ms = {30, Basis::kMeasured};
  Bench bench(candidates, policy_of_kind(PolicyKind::kLatency));
  bench.step();
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Throughput, TakesTheFastest) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  bench.step();
  EXPECT_EQ(bench.current().backend, "cpu");
}

TEST(Efficiency, TakesTheLeastEnergy) {
  std::vector<SelectorCandidate> candidates = three();
  candidates[0].energy_mj = {20, Basis::kMeasured};
  candidates[1].energy_mj = {15, Basis::kModelled};
  candidates[2].energy_mj = {40, Basis::kMeasured};
  Bench bench(candidates, policy_of_kind(PolicyKind::kEfficiency));
  bench.step();
  EXPECT_EQ(bench.current().backend, "gpu");
}

TEST(Balanced, PaysForTheTargetButNotForMore) {
  std::vector<SelectorCandidate> candidates = {candidate("htp", 30, 0), candidate("gpu", 5, 1),
                                               candidate("cpu", 100, 2)};
  candidates[0].energy_mj = {30, Basis::kMeasured};  // meets 30 fps
  candidates[1].energy_mj = {60, Basis::kMeasured};  // faster than needed
  candidates[2].energy_mj = {10, Basis::kMeasured};  // a third of the rate
  Bench bench(candidates, policy_of_kind(PolicyKind::kBalanced));
  bench.step();
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Limits, LatencyBudgetExcludesAndSaysSo) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kEfficiency);
  policy.latency_budget_ms = 15;
  std::vector<SelectorCandidate> candidates = three();
  candidates[1].energy_mj = {1, Basis::kMeasured};
  Bench bench(candidates, policy);
  const Decision decision = bench.step();
  EXPECT_NE(bench.current().backend, "gpu");
  EXPECT_EQ(decision.forecasts[1].exclusion, Exclusion::kTooSlow);
  EXPECT_THAT(bench.said(decision), HasSubstr("gpu above latency_budget_ms (20.0 ms)"));
}

TEST(Limits, AccuracyBindsVariantsOfTheSameInputSizeAndUnknownIsNone) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kLatency);
  policy.min_snr_db = 20;
  std::vector<SelectorCandidate> candidates = {candidate("htp", 1, 0, "w8a8"),
                                               candidate("htp", 2, 0, "w8a16"),
                                               candidate("htp", 3, 0, "small"), candidate("htp", 9, 0)};
  candidates[0].snr_db = 12;
  candidates[2].same_input_size = false;
  candidates[3].snr_db = 99;
  Bench bench(candidates, policy);
  const Decision decision = bench.step();
  EXPECT_EQ(decision.forecasts[0].exclusion, Exclusion::kAccuracy);
  EXPECT_EQ(decision.forecasts[1].exclusion, Exclusion::kAccuracy);
  EXPECT_EQ(bench.current().variant, "small");
}

TEST(Limits, AModelThatABackendCannotTakeIsNoCandidate) {
  std::vector<SelectorCandidate> candidates = three();
  candidates[2].unusable = "a tensor is larger than the device takes";
  Bench bench(candidates, policy_of_kind(PolicyKind::kThroughput));
  EXPECT_EQ(bench.step().forecasts[2].exclusion, Exclusion::kUnusable);
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Limits, PowerBudgetWithKnownEnergies) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kThroughput);
  policy.power_budget_w = 2;
  policy.target_fps = 0;
  std::vector<SelectorCandidate> candidates = three();
  candidates[0].energy_mj = {15, Basis::kMeasured};  // 1.5 W
  candidates[1].energy_mj = {10, Basis::kMeasured};
  candidates[2].energy_mj = {15, Basis::kMeasured};  // 3 W
  Bench bench(candidates, policy);
  bench.power_w = 0.4;
  EXPECT_EQ(bench.step().forecasts[2].exclusion, Exclusion::kPower);
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Limits, WhenNothingKeepsThemTheLeastBadRunsAndItIsSaid) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kThroughput);
  policy.latency_budget_ms = 1;
  Bench bench(three(), policy);
  const Decision decision = bench.step();
  EXPECT_EQ(decision.cause, Cause::kNothing);
  EXPECT_EQ(bench.current().backend, "cpu");
  EXPECT_THAT(bench.said(decision), HasSubstr("no candidate keeps all limits"));
}

TEST(Limits, AllFailedLeavesTheLastOneAndSaysNothingMayRun) {
  Bench bench(three(), policy_of_kind(PolicyKind::kLatency));
  bench.step();
  for (std::size_t c = 0; c < 3; ++c) bench.fail(c);
  const Decision decision = bench.step();
  EXPECT_EQ(decision.cause, Cause::kNothing);
  EXPECT_FALSE(decision.changed);
}

TEST(Damping, AGainBelowMinGainChangesNothing) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  bench.step();
  EXPECT_EQ(bench.steps(20, 10.9).cause, Cause::kSmallGain);  // htp at 10 is better by 9 %
  EXPECT_EQ(bench.current().backend, "cpu");
  bench.steps(6, 14);
  EXPECT_EQ(bench.current().backend, "htp");
}

TEST(Damping, NoTwoChangesWithinTheDwell) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  bench.step();
  TimeNs changed = 0;
  int changes = 0;
  for (int i = 0; i < 300; ++i) {
    // Whatever runs is slowed.
    if (!bench.step(40 + i % 7).changed) continue;
    if (changes++ > 0) {
      EXPECT_GE(to_s(bench.now() - changed), 10);
    }
    changed = bench.now();
  }
  EXPECT_GT(changes, 1);
  EXPECT_LE(changes, 6);
}

TEST(Damping, AFailureDoesNotWaitForTheDwell) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  bench.step();
  bench.fail(2);
  bench.step();
  EXPECT_EQ(bench.current().backend, "htp");
  bench.fail(0);
  EXPECT_EQ(bench.step().cause, Cause::kFailure);
  EXPECT_EQ(bench.current().backend, "gpu");
}

TEST(Damping, AHeatLimitDoesNotWaitForTheDwell) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kSustained);
  policy.target_fps = 100;
  policy.max_temperature_c = 60;
  Bench bench({candidate("htp", 10, 0, {}, "burst"), candidate("htp", 25, 0, {}, "power_saver")}, policy);
  bench.rate = 100;
  bench.steps(3, 0, 30);
  EXPECT_EQ(bench.current().performance_mode, "burst");
  Decision left;
  double celsius = 30;
  while (!left.changed && celsius < 70) left = bench.step(0, celsius += 3);
  EXPECT_EQ(left.cause, Cause::kHeatLimit);
  EXPECT_LE(celsius, 60);
  EXPECT_THAT(bench.said(left), HasSubstr("max_temperature_c is 60"));
  char peak[32];
  std::snprintf(peak, sizeof peak, "(%.1f degrees C)", left.forecasts[0].peak_c);
  EXPECT_THAT(bench.said(left), HasSubstr("htp, burst would exceed max_temperature_c " + std::string(peak)));
}

TEST(Sustained, SaysThatItIsBlindWithoutTemperatures) {
  Bench bench(three(), policy_of_kind(PolicyKind::kSustained));
  const Decision decision = bench.step();
  EXPECT_TRUE(decision.blind);
  EXPECT_THAT(bench.said(decision), HasSubstr("no temperature is known"));
}

TEST(Sustained, LeavesAThrottledModeForASlowerOneOfTheSameSession) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kSustained);
  policy.target_fps = 100;
  Bench bench({candidate("htp", 10, 0, {}, "burst"), candidate("htp", 20, 0, {}, "power_saver")}, policy);
  bench.rate = 100;
  double celsius = 30;
  for (; celsius < 80; celsius += 2) bench.step(0, celsius);
  EXPECT_EQ(bench.current().performance_mode, "burst");
  Decision left;
  for (int i = 0; i < 30 && !left.changed; ++i) left = bench.step(40, celsius -= 0.5);
  EXPECT_EQ(left.cause, Cause::kGain);
  EXPECT_EQ(bench.current().performance_mode, "power_saver");
}

std::vector<SelectorCandidate> modes() {
  std::vector<SelectorCandidate> out = {candidate("htp", 4, 0, "", "burst"),
                                        candidate("htp", 6, 0, "", "balanced"),
                                        candidate("htp", 10, 0, "", "power_saver")};
  const double energies[] = {30, 24, 20};
  for (std::size_t c = 0; c < out.size(); ++c) out[c].energy_mj = {energies[c], Basis::kAssumed};
  return out;
}

// Where other nodes take some of the unit's time, a slow mode does not carry its frames.
TEST(SharedUnits, NoPolicyStaysOnAModeThatLosesFramesBesideOtherNodes) {
  for (const PolicyKind kind : {PolicyKind::kEfficiency, PolicyKind::kBalanced, PolicyKind::kSustained}) {
    SelectorPolicy policy = policy_of_kind(kind);
    policy.target_fps = 60;
    Bench bench(modes(), policy);
    bench.rate = 60;
    bench.steps(30, 0, 40);
    EXPECT_EQ(bench.current().performance_mode, "power_saver") << name_of(kind) << ": alone";
    for (std::size_t c = 0; c < bench.state().count; ++c) bench.state().candidates[c].free_share = 0.45;
    const Decision left = bench.step(0, 40);
    EXPECT_EQ(left.cause, Cause::kGain) << name_of(kind);
    EXPECT_EQ(bench.current().performance_mode, "balanced") << name_of(kind);
    EXPECT_THAT(bench.said(left), HasSubstr("htp, power_saver 4")) << name_of(kind);
    EXPECT_FALSE(bench.steps(60, 0, 40).changed) << name_of(kind);
  }
}

// A governor that slows the unit slows its other modes as much.
TEST(Throttled, ModesOfAUnitDoNotTakeTurns) {
  for (const bool budget : {false, true}) {
    SelectorPolicy policy = policy_of_kind(budget ? PolicyKind::kBalanced : PolicyKind::kLatency);
    policy.target_fps = 60;
    if (budget) policy.latency_budget_ms = 5;
    Bench bench(modes(), policy);
    bench.rate = 60;
    for (int s = 0; s < 60; ++s) bench.step(0, 40 + s * 0.5);
    ASSERT_EQ(bench.current().performance_mode, "burst");
    int changes = 0;
    for (int s = 0; s < 600; ++s) {
      const CandidateState& c = bench.state().candidates[static_cast<std::size_t>(bench.state().current)];
      const double cap = s < 60 ? 0.6 : 0.2;  // of the unit's clock
      changes += bench.step(c.base_ms * std::max(1.0, c.speed / cap), 70 + s % 3).changed ? 1 : 0;
    }
    EXPECT_LE(changes, 1) << (budget ? "latency_budget_ms" : "latency");
  }
}

TEST(Words, SayWhatIsNotKnown) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kThroughput);
  policy.min_snr_db = 20;
  std::vector<SelectorCandidate> candidates = {candidate("cpu", 10, 0), candidate("cpu", 5, 0, "copy"),
                                               candidate("gpu", 0, 1)};
  candidates[0].snr_db = candidates[2].snr_db = 60;
  Bench bench(candidates, policy);
  const std::string said = bench.said(bench.step());
  EXPECT_THAT(said,
              HasSubstr("cpu, variant copy left out: its accuracy is not known, min_snr_db asks for one"));
  EXPECT_THAT(said, HasSubstr("gpu unknown"));
}

TEST(Words, BoundWhatBeatsNothing) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  Decision decision = bench.step();
  decision.cause = Cause::kGain;
  decision.rival = 0;
  decision.gain = 1e12;
  EXPECT_THAT(bench.said(decision), HasSubstr("better than htp by more than 10 times; "));
}

TEST(Damping, MinGainBindsTheModesToo) {
  SelectorPolicy policy = policy_of_kind(PolicyKind::kThroughput);
  policy.min_gain = 0.6;
  Bench bench(modes(), policy);
  bench.steps(20);
  bench.state().current = 1;  // balanced; burst gives half as much again
  EXPECT_EQ(bench.step().cause, Cause::kSmallGain);
  bench.policy().min_gain = 0.4;
  EXPECT_EQ(bench.step().cause, Cause::kGain);
}

TEST(Probes, OneWhosePauseIsOverFirstThenTheOldestButNeverTheCurrent) {
  Bench bench(three(), policy_of_kind(PolicyKind::kThroughput));
  bench.step();
  EXPECT_EQ(probe_wanted(bench.state(), bench.now(), from_s(30)), -1);
  EXPECT_EQ(probe_wanted(bench.state(), from_s(31), from_s(30)), 0);
  bench.fail(1);
  EXPECT_EQ(probe_wanted(bench.state(), bench.now() + Breaker::kFirstPause, from_s(300)), 1);
}

TEST(Decisions, AreTheSameForTheSameInputs) {
  Bench one(three(), policy_of_kind(PolicyKind::kSustained)),
      two(three(), policy_of_kind(PolicyKind::kSustained));
  for (int i = 0; i < 200; ++i) {
    const Decision a = one.step(10 + i % 5, 40 + i % 30), b = two.step(10 + i % 5, 40 + i % 30);
    ASSERT_EQ(one.said(a), two.said(b));
  }
}

}  // namespace
}  // namespace sluice
