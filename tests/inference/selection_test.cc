// Selection: what a run tells it and what it answers; candidates and policies from options.
#include "inference/selection/selection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <limits>
#include <thread>

#include "inference/selection/node_setup.h"
#include "tests/inference/selector/allocations.h"
#include "tests/inference/selector/selector_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// One node whose runs end at 30 per second.
class NodeRun {
 public:
  explicit NodeRun(std::vector<SelectorCandidate> candidates, SelectorPolicy policy = {})
      : selection_({{"net", std::move(candidates), std::move(policy)}}) {}

  // A second in which each run of the current candidate takes `latency_ms`; 0: none ends.
  std::vector<SelectionChange> second(double latency_ms = 0, double celsius = 0) {
    now_ += from_s(1);
    for (int i = 0; i < 30 && latency_ms > 0 && selection_.current(0) >= 0; ++i)
      selection_.meter(0).add_run(static_cast<std::size_t>(selection_.current(0)), from_ms(latency_ms));
    Readings readings;
    readings.at = now_;
    if (celsius > 0) readings.temperature(HeatRole::kNpu).value = celsius;
    return selection_.on_period(now_, readings);
  }
  // Nothing runs and nobody asks.
  void sleep(TimeNs time) { now_ += time; }
  Selection& selection() { return selection_; }
  TimeNs now() const { return now_; }

 private:
  Selection selection_;
  TimeNs now_ = 0;
};

TEST(Selection, ChoosesAtFirstAndIsSilentWhileNothingChanges) {
  NodeRun run({testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1)},
              {.kind = PolicyKind::kLatency});
  EXPECT_EQ(run.selection().current(0), -1);
  const auto first = run.second();
  ASSERT_THAT(first, SizeIs(1));
  EXPECT_EQ(first[0].candidate, 0);
  EXPECT_EQ(first[0].before, -1);
  EXPECT_THAT(first[0].reason, HasSubstr("policy latency: the first choice"));
  for (int i = 0; i < 20; ++i) EXPECT_THAT(run.second(8), IsEmpty());
  EXPECT_EQ(run.selection().current(0), 0);
}

TEST(Selection, LeavesABackendThatFailsAtOnceAndComesBackAfterAProbe) {
  NodeRun run({testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1)});
  run.second();
  run.second(8);
  run.selection().meter(0).add_failure(0);
  EXPECT_TRUE(run.selection().meter(0).failed());
  const auto left = run.selection().on_period(run.now() + from_ms(20), {});  // early, not at the second
  ASSERT_THAT(left, SizeIs(1));
  EXPECT_EQ(left[0].candidate, 1);
  EXPECT_THAT(left[0].reason, HasSubstr("gpu failed"));
  EXPECT_FALSE(run.selection().meter(0).failed());
  EXPECT_EQ(run.selection().probe_wanted(0), -1) << "the breaker's pause is not over";
  for (int i = 0; i < 12; ++i) run.second(20);
  ASSERT_EQ(run.selection().probe_wanted(0), 0);
  run.selection().note_probe(0, 0, run.now(), 8);
  const auto back = run.second(20);
  ASSERT_THAT(back, SizeIs(1));
  EXPECT_EQ(back[0].candidate, 0);
}

TEST(Selection, WithNothingToGoToWhatFailedGoesOnAndIsForgivenWhenItWorks) {
  NodeRun run({testing::candidate("gpu", 8, 0)});
  run.second();
  run.selection().meter(0).add_failure(0);
  EXPECT_THAT(run.second(8), IsEmpty());
  EXPECT_FALSE(run.selection().state(0).candidates[0].breaker.usable());
  for (int i = 0; i < 3; ++i) run.second(8);
  EXPECT_TRUE(run.selection().state(0).candidates[0].breaker.usable());
}

// A burst of failing frames is one failure: what is well again is there when the other one dies for good.
TEST(Selection, FailingFramesDoNotLockWhatIsWellAgain) {
  NodeRun run({testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1)}, {.dwell_s = 1});
  Selection& selection = run.selection();
  const auto fail = [&](int frames) {
    for (int i = 1; i <= frames; ++i) {
      selection.meter(0).add_failure(static_cast<std::size_t>(selection.current(0)));
      run.sleep(from_ms(33));
      selection.on_period(run.now(), {});
    }
  };
  run.second();
  fail(10);  // the first on the gpu, the others on the cpu
  for (int i = 0; i < 60; ++i) {
    run.second(8);
    const int wanted = selection.probe_wanted(0);
    if (wanted >= 0) selection.note_probe(0, static_cast<std::size_t>(wanted), run.now(), 8);
  }
  ASSERT_EQ(selection.current(0), 0);
  fail(1);
  EXPECT_EQ(selection.current(0), 1);
}

// A failure between two readings is decided on with those there are.
TEST(Selection, OldReadingsDoNotTurnTimeBack) {
  NodeRun run({testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1)});
  TimeNs present = 0;
  run.selection().record(
      [&](const SelectionEvent& event, std::span<const SelectionChange>) { present = event.readings.at; });
  run.second();
  Readings old;
  old.at = run.now();
  run.selection().meter(0).add_failure(0);
  run.selection().on_period(run.now() + from_ms(20), old);
  EXPECT_EQ(present, run.now() + from_ms(20));
}

TEST(Selection, StepsDownItsLadderWithTheRateAndUpAgain) {
  SelectorPolicy policy{.target_fps = 30, .max_temperature_c = 60, .dwell_s = 1, .degrade = {{}}};
  policy.degrade[0].rate_hz = 10;
  NodeRun run({testing::candidate("htp", 8, 0)}, policy);
  run.second();
  std::vector<SelectionChange> down;
  for (int i = 0; i < 60 && down.empty(); ++i) down = run.second(8, 40 + i);
  ASSERT_THAT(down, SizeIs(1));
  EXPECT_EQ(down[0].step, 1);
  EXPECT_EQ(down[0].rate_hz, 10);
  EXPECT_EQ(run.selection().state(0).step, 1);
  std::vector<SelectionChange> up;
  for (int i = 0; i < 600 && up.empty(); ++i) up = run.second(8, 30);
  ASSERT_THAT(up, SizeIs(1));
  EXPECT_EQ(up[0].step, 0);
  EXPECT_EQ(up[0].rate_hz, 0);
  EXPECT_THAT(up[0].reason, HasSubstr("degrade: back to step 0"));
}

// Of the accelerators' time, which all nodes share; cores run several nodes at once.
TEST(Selection, CountsWhatOtherNodesTakeOfAUnit) {
  const std::vector<SelectorCandidate> candidates = {testing::candidate("htp", 10, 0),
                                                     testing::candidate("cpu", 40, 1)};
  const SelectorPolicy policy{.kind = PolicyKind::kLatency, .target_fps = 30};
  Selection selection(
      {{"a", candidates, policy}, {"b", candidates, policy}, {"alone", {candidates[1]}, policy}});
  for (int s = 1; s <= 5; ++s) {
    for (int run = 0; run < 30 && s > 1; ++run) {
      selection.meter(0).add_run(0, from_ms(10));
      selection.meter(2).add_run(0, from_ms(40));
    }
    selection.on_period(from_s(s), {});
  }
  const auto share = [&](std::size_t n, std::size_t c) {
    return selection.state(n).candidates[c].free_share;
  };
  EXPECT_NEAR(share(1, 0), 1 - 1.1 * 0.3, 1e-6) << "30 runs of 10 ms";
  EXPECT_EQ(share(0, 0), 1) << "node b ran nothing";
  EXPECT_EQ(share(0, 1), 1);
  EXPECT_EQ(share(2, 0), 1);
}

TEST(Selection, ProbesNeitherTheUnusableNorWhileFramesAreMissed) {
  std::vector<SelectorCandidate> candidates = {
      testing::candidate("gpu", 8, 0), testing::candidate("htp", 9, 1), testing::candidate("cpu", 20, 2)};
  candidates[1].unusable = "not here";
  NodeRun run(candidates, {.kind = PolicyKind::kLatency, .target_fps = 30, .dwell_s = 1});
  run.second();
  for (int i = 0; i < 8; ++i) run.second(8);
  EXPECT_EQ(run.selection().probe_wanted(0), 2);
  run.second(0);  // no frame came through
  EXPECT_EQ(run.selection().probe_wanted(0), -1);
}

// One that was slow for a while is what a node that misses its rate without it needs.
TEST(Selection, ProbesWhatWouldEndAMissedRate) {
  NodeRun run({testing::candidate("cpu", 8, 0), testing::candidate("htp", 300, 1)},
              {.kind = PolicyKind::kLatency, .target_fps = 300, .dwell_s = 1});
  run.second();
  for (int i = 0; i < 60 && run.selection().current(0) == 0; ++i) run.second(2000);
  ASSERT_EQ(run.selection().current(0), 1) << "left";
  int waited = 0;
  for (; waited < 60 && run.selection().probe_wanted(0) < 0; ++waited) run.second(300);
  EXPECT_EQ(run.selection().probe_wanted(0), 0);
  EXPECT_GE(waited, 10) << "seldom";
  run.selection().note_probe(0, 0, run.now(), 8);
  for (int i = 0; i < 10; ++i) run.second(300);
  EXPECT_EQ(run.selection().current(0), 0) << "come back to";
}

// On a busy machine every backend misses the rate: the better one must be come back to all the same, however
// little faster it is, if it is worth the change.
TEST(Selection, ProbesWhatIsWorthTheChangeAlsoWhereNothingKeepsTheRate) {
  for (const double better_ms : {40.0, 43.0, 46.0}) {
    NodeRun run({testing::candidate("cpu", better_ms, 0), testing::candidate("gpu", 50, 1)},
                {.kind = PolicyKind::kLatency, .target_fps = 300, .dwell_s = 1, .min_gain = 0.15});
    run.second();
    for (int i = 0; i < 60 && run.selection().current(0) == 0; ++i) run.second(1000);
    ASSERT_EQ(run.selection().current(0), 1) << "left";
    int probes = 0;
    for (int i = 0; i < 60 && run.selection().current(0) == 1; ++i) {
      run.second(50);
      if (run.selection().probe_wanted(0) != 0) continue;
      ++probes;
      run.selection().note_probe(0, 0, run.now(), better_ms);
    }
    const bool worth = 50 / better_ms >= 1.15;
    EXPECT_EQ(run.selection().current(0), worth ? 0 : 1) << better_ms;
    EXPECT_EQ(probes, worth ? 1 : 0) << better_ms;
  }
}

// Tries of a backend that fails again and again take seconds each: they keep nobody from coming back.
TEST(Selection, ProbesWhatWasFasterBeforeWhatHasFailed) {
  for (const double rate : {10.0, 300.0}) {  // kept, and missed
    NodeRun run(
        {testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1), testing::candidate("htp", 9, 2)},
        {.kind = PolicyKind::kLatency, .target_fps = rate, .dwell_s = 1});
    run.second();
    run.selection().note_failure(0, 2, run.now());
    for (int i = 0; i < 60 && run.selection().current(0) == 0; ++i) run.second(1000);
    ASSERT_EQ(run.selection().current(0), 1) << "left";
    int probed = -1;
    for (int i = 0; i < 40 && probed != 0; ++i) {
      run.second(20);
      probed = run.selection().probe_wanted(0);
      if (probed == 2) run.selection().note_failure(0, 2, run.now() - from_s(300));  // due again at once
    }
    EXPECT_EQ(probed, 0) << rate;
  }
}

TEST(Selection, SaysThatItIsBlind) {
  NodeRun run({testing::candidate("cpu", 8, 0)}, {.kind = PolicyKind::kSustained});
  EXPECT_THAT(run.second().at(0).reason, HasSubstr("no temperature is known, latency drift alone was used"));
  EXPECT_TRUE(run.selection().blind(0));
  run.second(8, 40);
  EXPECT_FALSE(run.selection().blind(0));
}

// Whenever a sensor goes and however long it stays away: what runs goes on, and no limit is thought broken.
TEST(Selection, ASensorThatGoesAtAnyMomentChangesNothing) {
  for (int gone = 1; gone < 40; ++gone) {
    for (const int seconds : {1, 5, 100}) {
      NodeRun run({testing::candidate("htp", 8, 0), testing::candidate("cpu", 20, 1)},
                  {.kind = PolicyKind::kSustained, .target_fps = 30, .max_temperature_c = 85});
      run.second(0, 45);
      for (int s = 1; s < 60; ++s) {
        const bool known = s < gone || s >= gone + seconds;
        ASSERT_THAT(run.second(8, known ? 45 : 0), IsEmpty()) << "gone at " << gone << ", now " << s;
        ASSERT_EQ(run.selection().blind(0), !known);
      }
    }
  }
}

TEST(Selection, AnHourThatTheMachineSleptIsNoReasonToChange) {
  NodeRun run({testing::candidate("htp", 8, 0), testing::candidate("cpu", 20, 1)},
              {.kind = PolicyKind::kSustained, .target_fps = 30, .max_temperature_c = 85});
  run.second(0, 60);
  for (int s = 0; s < 20; ++s) EXPECT_THAT(run.second(8, 60), IsEmpty());
  run.sleep(from_s(3600));
  for (int s = 0; s < 20; ++s) EXPECT_THAT(run.second(8, 30), IsEmpty()) << "as cold as after an hour";
}

// The same events make the same decisions, in another Selection that nothing is told to.
TEST(Selection, ARecordedOneIsReplayedToTheBit) {
  const std::vector<SelectorCandidate> candidates = {testing::candidate("gpu", 8, 0),
                                                     testing::candidate("cpu", 20, 1)};
  NodeRun run(candidates);
  std::vector<SelectionEvent> events;
  std::vector<SelectionChange> then, now;
  run.selection().record([&](const SelectionEvent& event, std::span<const SelectionChange> changes) {
    events.push_back(event);
    then.insert(then.end(), changes.begin(), changes.end());
  });
  for (int round = 0; round < 4; ++round) {
    for (int s = 0; s < 15; ++s) run.second(8.5);
    run.selection().meter(0).add_failure(0);
    for (int s = 0; s < 15; ++s) run.second(20.25);
    const int wanted = run.selection().probe_wanted(0);
    if (wanted >= 0) run.selection().note_probe(0, static_cast<std::size_t>(wanted), run.now(), 8.125);
  }
  NodeRun again(candidates);
  for (const SelectionEvent& event : events) {
    const std::vector<SelectionChange> changes = again.selection().replay(event);
    now.insert(now.end(), changes.begin(), changes.end());
  }
  ASSERT_GE(then.size(), 5u);
  ASSERT_EQ(then.size(), now.size());
  for (std::size_t i = 0; i < then.size(); ++i) {
    EXPECT_EQ(then[i].at, now[i].at);
    EXPECT_EQ(then[i].candidate, now[i].candidate);
    EXPECT_EQ(then[i].reason, now[i].reason);
  }
}

// Issue 6, point 1.
TEST(Selection, AFrameCostsUnderAMicrosecondAndNoAllocation) {
  NodeRun run({testing::candidate("gpu", 8, 0), testing::candidate("cpu", 20, 1)},
              {.kind = PolicyKind::kSustained});
  run.second();
  constexpr int kRuns = 1'000'000;
  const long before = testing::allocations();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kRuns; ++i) run.selection().meter(0).add_run(0, from_ms(8));
  const double ns =
      std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
  EXPECT_LT(ns / kRuns, 1000);
  for (int i = 0; i < 10; ++i) run.second(8, 40);
  EXPECT_EQ(testing::allocations(), before);
}

TEST(RunMeter, TellsTheMedianOfTheCandidateAskedForAndCountsAllRuns) {
  RunMeter meter;
  for (int i = 0; i < 100; ++i) meter.add_run(3, from_ms(5));
  for (int i = 0; i < 101; ++i) meter.add_run(1, from_ms(1 + i % 3));
  RunMeter::Period period = meter.take(1);
  EXPECT_EQ(period.runs, 201u);
  EXPECT_DOUBLE_EQ(period.latency_ms, 2);
  period = meter.take(1);
  EXPECT_EQ(period.runs, 0u);
  EXPECT_EQ(period.latency_ms, 0);
  for (int i = 0; i < 1000; ++i) meter.add_run(1, from_ms(i < 700 ? 1 : 9));
  EXPECT_DOUBLE_EQ(meter.take(1).latency_ms, 9) << "of many the newest tell";
}

TEST(RunMeter, ManyWritersLoseNothing) {
  RunMeter meter;
  std::vector<std::thread> writers;
  writers.reserve(4);
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&meter, t] {
      for (int i = 0; i < 10'000; ++i) meter.add_run(static_cast<std::size_t>(t), from_ms(1));
      meter.add_failure(static_cast<std::size_t>(t));
    });
  }
  std::uint64_t runs = 0;
  std::uint32_t failures = 0;
  const auto take = [&] {
    const RunMeter::Period period = meter.take(0);
    runs += period.runs;
    for (const std::uint32_t f : period.failures) failures += f;
  };
  for (int i = 0; i < 1000; ++i) take();
  for (std::thread& writer : writers) writer.join();
  take();
  EXPECT_EQ(runs, 40'000u);
  EXPECT_EQ(failures, 4u);
}

Options options(OptionMap more = {}) {
  OptionMap map = {{"policy", {std::string("balanced")}},
                   {"backends", {OptionList{{std::string("htp")}, {std::string("cpu")}}}},
                   {"htp", {OptionMap{}}}};
  for (auto& [name, value] : more) map[name] = std::move(value);
  return Options(std::move(map));
}

std::vector<std::string> described(const Options& options, std::vector<VariantFacts> variants) {
  std::vector<std::string> out;
  for (const SelectorCandidate& c : candidate_set(options, variants)) out.push_back(describe(c));
  return out;
}

TEST(NodeSetup, CandidatesAreBackendsTimesVariantsTimesModes) {
  EXPECT_THAT(described(options(), {{}, {.name = "small"}}),
              ElementsAre("htp, burst", "htp, balanced", "htp, power_saver", "htp, variant small, burst",
                          "htp, variant small, balanced", "htp, variant small, power_saver", "cpu",
                          "cpu, variant small"));
  EXPECT_THAT(described(options({{"htp", {OptionMap{{"performance_mode", {std::string("burst")}}}}}}), {{}}),
              ElementsAre("htp, burst", "cpu"));
}

// min_snr_db never excludes what the variants are measured against.
TEST(NodeSetup, TheModelsOwnPathIsAsAccurateAsCanBe) {
  const std::vector<VariantFacts> variants = {{}, {.name = "w8"}, {.name = "w16", .snr_db = 41}};
  const auto candidates =
      candidate_set(options({{"backends", {OptionList{{std::string("cpu")}}}}}), variants);
  ASSERT_THAT(candidates, SizeIs(3));
  EXPECT_EQ(candidates[0].snr_db, std::numeric_limits<double>::infinity());
  EXPECT_FALSE(candidates[1].snr_db);
  EXPECT_EQ(candidates[2].snr_db, 41);
}

TEST(NodeSetup, FixedKeepsTheModelsPathButForWhatItsLadderNames) {
  OptionMap step = {{"variant", {std::string("small")}}, {"performance_mode", {std::string("low_balanced")}}};
  const Options fixed = options({{"policy", {std::string("fixed")}},
                                 {"degrade", {OptionList{{OptionMap{{"rate_hz", {15.0}}}}, {step}}}}});
  EXPECT_THAT(described(fixed, {{}, {.name = "small"}, {.name = "w8"}}),
              ElementsAre("htp, balanced", "htp, low_balanced", "htp, variant small, balanced",
                          "htp, variant small, low_balanced", "cpu", "cpu, variant small"));
  const SelectorPolicy policy = selector_policy(fixed, 25);
  EXPECT_EQ(policy.target_fps, 25);
  ASSERT_THAT(policy.degrade, SizeIs(2));
  EXPECT_EQ(policy.degrade[0].rate_hz, 15);
  EXPECT_EQ(policy.degrade[1].variant, "small");
}

}  // namespace
}  // namespace sluice
