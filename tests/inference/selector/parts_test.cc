// The selector's parts: breaker, ladder, thermal predictor, trip learner, allocations.
#include <gtest/gtest.h>

#include "inference/selector/ladder.h"
#include "tests/inference/selector/allocations.h"
#include "tests/inference/selector/contest.h"
#include "tests/inference/selector/selector_testing.h"

namespace sluice {
namespace {

using testing::candidate;

TEST(Breaker, OpensAtOnceAndPausesLongerEachTime) {
  Breaker breaker;
  EXPECT_TRUE(breaker.usable());
  TimeNs now = 0;
  for (TimeNs pause = Breaker::kFirstPause; pause < Breaker::kLongestPause; pause *= 2) {
    breaker.failed(now);
    EXPECT_FALSE(breaker.usable());
    EXPECT_FALSE(breaker.probe_due(now + pause - 1));
    EXPECT_TRUE(breaker.probe_due(now + pause));
    now += pause;
  }
  breaker.failed(now);
  EXPECT_EQ(breaker.retry_at(), now + Breaker::kLongestPause);
}

// Nothing else may run, and frames come: they are no tries of a candidate that was left alone.
TEST(Breaker, FailuresWhileItIsOpenPutTheProbeOffAndDoubleNothing) {
  Breaker breaker;
  for (int frame = 0; frame < 30; ++frame) breaker.failed(from_ms(33 * frame));
  EXPECT_EQ(breaker.retry_at(), from_ms(33 * 29) + Breaker::kFirstPause);
  EXPECT_EQ(breaker.failures(), 1);
  const TimeNs retry = breaker.retry_at();
  for (int frame = 0; frame < 3; ++frame) breaker.failed(retry + from_ms(33 * frame));
  EXPECT_EQ(breaker.retry_at(), retry + from_ms(33 * 2) + 2 * Breaker::kFirstPause) << "one try failed";
}

TEST(Breaker, AProbeClosesItAndAQuietTimeForgives) {
  Breaker breaker;
  breaker.failed(0);
  breaker.failed(from_s(2));
  breaker.succeeded(from_s(6));
  EXPECT_TRUE(breaker.usable());
  breaker.failed(from_s(7));
  EXPECT_EQ(breaker.failures(), 3);
  breaker.succeeded(from_s(20));
  breaker.failed(from_s(21) + Breaker::kForgiven);
  EXPECT_EQ(breaker.failures(), 1);
}

TEST(Ladder, StepsAddUpAndLaterOnesWin) {
  LadderStep mode, rate, gpu, slower;
  mode.performance_mode = "balanced";
  rate.rate_hz = 15;
  gpu.backend = "gpu";
  slower.rate_hz = 5;
  const std::vector<LadderStep> ladder = {mode, rate, gpu, slower};
  EXPECT_FALSE(ladder_keys(ladder, 0).performance_mode);
  EXPECT_EQ(ladder_keys(ladder, 4).performance_mode, "balanced");
  EXPECT_EQ(rate_at(ladder, 1, 30), 30);
  EXPECT_EQ(rate_at(ladder, 2, 30), 15);
  EXPECT_EQ(rate_at(ladder, 4, 30), 5);
  EXPECT_EQ(rate_at(ladder, 4, 0), 5);
  const SelectorCandidate htp = candidate("htp", 1, 0, {}, "burst"),
                          saver = candidate("htp", 1, 0, {}, "balanced");
  const SelectorCandidate other = candidate("gpu", 1, 1);
  EXPECT_TRUE(allowed_at(ladder, 0, htp));
  EXPECT_FALSE(allowed_at(ladder, 0, other));  // named in a later step
  EXPECT_FALSE(allowed_at(ladder, 1, htp));
  EXPECT_TRUE(allowed_at(ladder, 1, saver));
  EXPECT_FALSE(allowed_at(ladder, 3, saver));
  EXPECT_TRUE(allowed_at(ladder, 3, other));  // has no performance modes
}

Readings reading(double celsius) {
  Readings readings;
  readings.temperature(HeatRole::kNpu).value = celsius;
  return readings;
}

// A die of 8 s on a case of 300 s, 25 degrees around.
struct Plant {
  double die = 0, box = 0;
  double step(double watts) {
    box += (5 * watts - box) / 300;
    die += (7 * watts - die) / 8;
    return 25 + die + box;
  }
};

TEST(ThermalPredictor, ForeseesALoadThatItHasSeen) {
  ThermalPredictor heat;
  Plant plant;
  for (int t = 0; t < 300; ++t) {
    const double watts = t / 50 % 2 == 0 ? 4 : 1.5;
    heat.observe(1, {UnitRole::kNpu, watts}, reading(plant.step(watts)));
  }
  std::array<bool, kHeatVariables> npu{};
  npu[0] = true;
  ThermalPredictor::Path path = heat.begin(npu);
  for (int t = 0; t < 60; ++t) {
    path.advance(1, {UnitRole::kNpu, 4});
    const double truth = plant.step(4);
    EXPECT_NEAR(path.value(HeatVariable::kNpu), truth, 2.5) << "after " << t + 1 << " s";
  }
}

TEST(ThermalPredictor, ASensorThatVanishesIsNotSeenAnyMore) {
  ThermalPredictor heat;
  EXPECT_FALSE(heat.sees_any());
  heat.observe(1, {}, reading(40));
  EXPECT_TRUE(heat.sees(HeatVariable::kNpu));
  EXPECT_TRUE(heat.sees(HeatVariable::kBody));
  EXPECT_FALSE(heat.sees(HeatVariable::kSkin));
  heat.observe(1, {}, {});
  EXPECT_FALSE(heat.sees_any());
}

class TripLearning : public ::testing::Test {
 protected:
  void run(int seconds, double celsius, double full, double speed) {
    for (int i = 0; i < seconds; ++i) {
      heat.observe(1, {UnitRole::kNpu, 4}, reading(celsius));
      trips.observe(1, UnitRole::kNpu, full, speed, heat);
    }
  }
  ThermalPredictor heat;
  TripLearner trips;
};

TEST_F(TripLearning, KnowsTheOnsetWhatIsLeftAndTheRelease) {
  run(100, 70, 1, 1);
  run(60, 79, 1, 1);
  EXPECT_FALSE(trips.knows_any(UnitRole::kNpu));
  run(60, 80, 1, 0.7);
  EXPECT_TRUE(trips.throttled(UnitRole::kNpu));
  EXPECT_NEAR(trips.trip(UnitRole::kNpu, HeatVariable::kNpu).at, 80, 3);
  EXPECT_NEAR(trips.throttled_speed(UnitRole::kNpu), 0.7, 0.03);
  run(10, 75, 1, 1);
  EXPECT_FALSE(trips.throttled(UnitRole::kNpu));
}

TEST_F(TripLearning, SlowWithoutHeatIsStarvedAndTeachesNoTripPoint) {
  run(100, 60, 1, 1);
  run(60, 75, 1, 1);
  run(60, 60, 1, 0.6);  // as cool as it has long run freely
  EXPECT_FALSE(trips.throttled(UnitRole::kNpu));
  EXPECT_TRUE(trips.starved(UnitRole::kNpu));
  EXPECT_NEAR(trips.starved_speed(UnitRole::kNpu), 0.6, 0.02);
  EXPECT_FALSE(trips.knows_any(UnitRole::kNpu));
  run(5, 60, 1, 1);
  EXPECT_FALSE(trips.starved(UnitRole::kNpu));
  run(20, 85, 1, 1);
  run(30, 85, 1, 0.6);  // hotter than ever
  EXPECT_TRUE(trips.throttled(UnitRole::kNpu));
}

TEST_F(TripLearning, OneSlowSampleIsNoOnset) {
  run(50, 70, 1, 1);
  run(1, 70, 1, 0.7);
  run(5, 70, 1, 1);
  EXPECT_FALSE(trips.knows_any(UnitRole::kNpu));
}

TEST_F(TripLearning, ASlowModeDoesNotTellThatTheGovernorLetGo) {
  run(50, 70, 1, 1);
  run(60, 80, 1, 0.7);
  run(10, 80, 0.6, 0.6);  // slower than what is left: looks free
  EXPECT_TRUE(trips.throttled(UnitRole::kNpu));
  EXPECT_NEAR(trips.trip(UnitRole::kNpu, HeatVariable::kNpu).hysteresis, 3, 0.01);
}

TEST(Costs, NothingIsAllocatedPerPeriodOrDecision) {
  const testing::TrueDevice device = testing::random_device(2);
  const std::vector<SelectorCandidate> candidates = device.seen_candidates();
  const SelectorPolicy policy = device.policy(PolicyKind::kSustained);
  SelectorState state = start_state(candidates);
  Observation seen;
  seen.dt_s = 1;
  const long before = testing::allocations();
  for (int i = 1; i < 100; ++i) {
    seen.readings = reading(40 + i % 50);
    seen.readings.at = from_s(i);
    seen.latency_ms = candidates[0].latency_ms.value * (i % 50 > 30 ? 1.5 : 1);
    observe(candidates, seen, state);
    commit(candidates, choose(candidates, state, seen.readings, policy), seen.readings.at, state);
  }
  EXPECT_EQ(testing::allocations(), before);
}

}  // namespace
}  // namespace sluice
