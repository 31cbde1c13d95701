// The contract's definitions (section 5) on made-up windows.
#include "runtime/thermal/results.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// One window of 10 s per rate.
std::vector<ThermalWindow> windows_of(const std::vector<double>& rates, double seconds = 10) {
  std::vector<ThermalWindow> out;
  for (const double fps : rates) {
    ThermalWindow w;
    w.seconds = seconds;
    w.t_s = (out.empty() ? 0 : out.back().t_s) + seconds;
    w.fps = fps;
    w.delivered = static_cast<std::uint64_t>(fps * seconds);
    w.p95_ms = 1000 / fps;
    w.power_w = 2;
    w.infer.push_back({"face", "htp", "", "", 0, "", {}});
    out.push_back(w);
  }
  return out;
}

// Of a load that came to its end.
ThermalResults found_in(const std::vector<ThermalWindow>& windows) {
  double load_s = 0;
  for (const ThermalWindow& w : windows) load_s = w.load ? w.t_s : load_s;
  return results_of(windows, load_s);
}

std::vector<double> repeated(double value, int count) {
  return std::vector<double>(static_cast<std::size_t>(count), value);
}

std::vector<double> joined(std::initializer_list<std::vector<double>> parts) {
  std::vector<double> out;
  for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

TEST(ThermalResults, PeakIsTheBestMinuteOfALongLoad) {
  // 30 minutes; one window alone is better than any minute.
  const auto rates = joined({repeated(30, 5), {60}, repeated(30, 84), repeated(20, 90)});
  const ThermalResults r = found_in(windows_of(rates));
  EXPECT_NEAR(*r.peak_fps, (5 * 30 + 60) / 6.0, 1e-9);
  EXPECT_EQ(r.sustained_fps, 20) << "the median of the last five minutes";
  EXPECT_NEAR(*r.stability, 20 / 35.0, 1e-9);
  EXPECT_EQ(r.time_to_10pct_loss_s, 60) << "30 of 35 is below 90 %, from the seventh window on";
}

TEST(ThermalResults, ShortLoadsUseThirds) {
  // 2 minutes: peak over 40 s, sustained over the last 40 s.
  const ThermalResults r = found_in(windows_of(joined({repeated(40, 4), repeated(30, 4), repeated(20, 4)})));
  EXPECT_EQ(r.peak_fps, 40);
  EXPECT_EQ(r.sustained_fps, 20);
  EXPECT_EQ(r.stability, 0.5);
  EXPECT_EQ(window_length_s(120), 10);
  EXPECT_EQ(window_length_s(60), 5) << "so that a third has several windows";
  EXPECT_EQ(window_length_s(6), 1) << "a run tells no more often";
}

TEST(ThermalResults, OneBadWindowIsNoLoss) {
  const auto rates = joined({repeated(30, 20), {10}, repeated(30, 20)});
  const ThermalResults r = found_in(windows_of(rates));
  EXPECT_EQ(r.time_to_10pct_loss_s, std::nullopt);
  EXPECT_EQ(r.worst_fps, 10);
  EXPECT_EQ(r.worst_at_s, 210);
  EXPECT_EQ(r.p95_ms, 100);
}

// What is left over when the load ends between two windows.
TEST(ThermalResults, ASliverAtTheEndHasNoRate) {
  auto windows = windows_of(repeated(30, 12));
  ThermalWindow sliver = windows.back();
  sliver.seconds = 0.004;
  sliver.t_s += sliver.seconds;
  sliver.fps = 0;
  sliver.delivered = 1;
  windows.push_back(sliver);
  const ThermalResults r = found_in(windows);
  EXPECT_EQ(r.sustained_fps, 30);
  EXPECT_EQ(r.worst_fps, 30);
  EXPECT_EQ(r.stability, 1);
  EXPECT_EQ(r.delivered, 30u * 120 + 1) << "its frames count";
}

// Other windows are measured by how long a window is to be, not by the one in which the machine stood still.
TEST(ThermalResults, AStallIsOneBadWindow) {
  auto windows = windows_of(repeated(30, 11), 2);
  for (std::size_t i = 4; i < windows.size(); ++i) windows[i].t_s += 6;
  windows[4].seconds = 8;
  windows[4].fps = 3.75;
  windows[4].delivered = 30;
  const ThermalResults r = results_of(windows, 28);
  EXPECT_EQ(r.peak_fps, 30);
  EXPECT_EQ(r.sustained_fps, 30);
  EXPECT_EQ(r.stability, 1);
  EXPECT_EQ(r.worst_fps, 3.75);
  EXPECT_EQ(r.worst_at_s, 16);
}

// The last window ends when its frames are done, a little after the load; what the load was to be decides.
TEST(ThermalResults, ALoadJustBelowTenMinutesUsesItsLastThird) {
  auto windows = windows_of(joined({repeated(60, 39), repeated(40, 11), repeated(20, 9)}));
  ThermalWindow last = windows.back();
  last.t_s += 10.2;
  last.seconds = 10.2;
  windows.push_back(last);
  EXPECT_EQ(results_of(windows, 599.9).sustained_fps, 30) << "of ten windows at 40 fps and ten at 20";
}

// Each window within what the machine's seconds are off.
TEST(ThermalResults, TheLastFiveMinutesBeginWithAWindow) {
  auto windows = windows_of(joined({repeated(60, 30), repeated(40, 15), repeated(20, 15)}));
  for (ThermalWindow& w : windows) w.t_s -= 0.003;
  EXPECT_EQ(results_of(windows, 600).sustained_fps, 30) << "fifteen windows of 40 fps and fifteen of 20";
}

TEST(ThermalResults, EnergyAndMemory) {
  auto windows = windows_of(repeated(20, 12));
  for (std::size_t i = 0; i < windows.size(); ++i) windows[i].rss_mb = 100 + 0.5 * static_cast<double>(i + 1);
  const ThermalResults r = found_in(windows);
  EXPECT_NEAR(*r.energy_per_frame_j, 0.1, 1e-9) << "2 W at 20 frames per second";
  EXPECT_NEAR(*r.memory_slope_mb_per_min, 3, 1e-9);
  windows[3].power_w.reset();
  windows[3].rss_mb.reset();
  EXPECT_EQ(found_in(windows).energy_per_frame_j, std::nullopt) << "unknown once is unknown";
  EXPECT_EQ(found_in(windows).memory_slope_mb_per_min, std::nullopt);
}

TEST(ThermalResults, SwitchesAreChangesOfBackendOrVariant) {
  auto windows = windows_of(repeated(20, 6));
  windows[1].infer[0].backend = "gpu";
  windows[2].infer[0].backend = "gpu";
  const DecisionReport small{31, "gpu", "small", {}, 0, "a"}, slow{41, "gpu", "small", "balanced", 2, "b"},
      htp{51, "htp", "", "burst", 0, "c"}, again{58, "gpu", "small", "balanced", 0, "d"};
  windows[3].infer[0] = {"face", "gpu", "small", "", 0, "a", {small}};
  windows[4].infer[0] = {"face", "gpu", "small", "balanced", 2, "b", {slow}};  // mode and step alone
  windows[5].infer[0] = {"face", "htp", "", "burst", 0, "c", {htp, again, htp}};
  EXPECT_EQ(found_in(windows).switches, 1 + 1 + 3);
  windows[5].infer[0] = {"face", "gpu", "small", "balanced", 0, "d", {htp, again}};
  EXPECT_EQ(found_in(windows).switches, 1 + 1 + 2) << "there and back";
}

// Looks of once a second, of which a stall swallows some.
TEST(ThermalWindows, ALateLookMakesNoShortWindow) {
  WindowEnds ends(2, 0, 24);
  std::vector<double> at;
  for (const double look :
       {1.0, 2.0002, 3.0, 4.0001, 5.0, 11.991, 11.997, 12.997, 13.997, 14.997, 15.997, 16.997, 17.997})
    if (ends.look(look)) at.push_back(look);
  EXPECT_THAT(at, ElementsAre(2.0002, 4.0001, 11.991, 14.997, 16.997));
}

TEST(ThermalWindows, TheLastOneEndsWithThePhase) {
  const auto ends_of = [](double load_s) {
    WindowEnds ends(10, 0, load_s);
    std::vector<int> at;
    for (int s = 1; s <= load_s; ++s)
      if (ends.look(s)) at.push_back(s);
    EXPECT_TRUE(ends.rest_counts(load_s));
    return at;
  };
  EXPECT_THAT(ends_of(30), ElementsAre(10, 20));
  EXPECT_THAT(ends_of(26), ElementsAre(10, 20)) << "and six seconds";
  EXPECT_THAT(ends_of(24), ElementsAre(10)) << "four seconds are no window: the last one has fourteen";
}

// What ran at the end of the first window is not what the run began on.
TEST(ThermalResults, ASwitchInTheFirstWindowCounts) {
  auto windows = windows_of(repeated(20, 6));
  for (ThermalWindow& w : windows) w.infer[0].backend = "cpu";
  windows[0].infer[0].changes = {{4, "cpu", "", {}, 0, "htp failed"}};
  windows[0].infer[0].first = {0, "htp", "", {}, 0, "the first choice"};
  EXPECT_EQ(found_in(windows).switches, 1);
  windows[3].infer[0].first = {40, "htp", "", {}, 0, "gone on with"};
  windows[3].infer[0].changes = {{41, "cpu", "", {}, 0, "htp failed"}};
  EXPECT_EQ(found_in(windows).switches, 2) << "a new beginning is no switch";
}

TEST(ThermalWindows, KeepEveryDecisionOfAWindow) {
  const auto at = [](double seconds, std::vector<DecisionReport> decisions) {
    RunSnapshot out;
    out.at = from_s(seconds);
    const DecisionReport& now = decisions.back();
    out.infer.push_back({"face", now.backend, now.variant, "", now.reason, now.step, decisions});
    return out;
  };
  const DecisionReport first{0, "htp", "", {}, 0, "the first choice"},
      failed{12, "cpu", "", {}, 0, "htp failed"}, back{17, "htp", "", {}, 0, "htp works again"};
  WindowRecorder recorder(at(0, {first}));
  const ThermalWindow quiet = recorder.next(at(10, {first}), true);
  EXPECT_THAT(quiet.infer.at(0).changes, IsEmpty()) << "made before the load";
  ASSERT_TRUE(quiet.infer.at(0).first);
  EXPECT_EQ(quiet.infer.at(0).first->backend, "htp") << "which is what it began on";
  EXPECT_EQ(quiet.infer.at(0).reason, "the first choice");
  const ThermalWindow busy = recorder.next(at(20, {first, failed, back}), true);
  ASSERT_EQ(busy.infer.at(0).changes.size(), 2u);
  EXPECT_EQ(busy.infer.at(0).changes[0].reason, "htp failed");
  EXPECT_EQ(busy.infer.at(0).changes[0].backend, "cpu");
  EXPECT_EQ(busy.infer.at(0).changes[1].at_s, 17);
  EXPECT_EQ(busy.infer.at(0).backend, "htp");
  EXPECT_FALSE(busy.infer.at(0).first);
}

TEST(ThermalResults, RecoveryIsNoLoad) {
  auto windows = windows_of(repeated(20, 12));
  ThermalWindow after;
  after.t_s = 130;
  after.seconds = 10;
  after.load = false;
  after.temperature_c[static_cast<std::size_t>(HeatRole::kSkin)] = 41;
  windows.push_back(after);
  const ThermalResults r = found_in(windows);
  EXPECT_EQ(r.sustained_fps, 20);
  EXPECT_EQ(r.max_skin_c, 41);
}

TEST(ThermalResults, NothingIsUnknown) {
  const ThermalResults r = found_in({});
  EXPECT_EQ(r.peak_fps, std::nullopt);
  EXPECT_EQ(r.stability, std::nullopt);
}

ThermalRun run_of(std::vector<ThermalWindow> windows, int repetition = 1) {
  ThermalRun run;
  run.policy = "fixed";
  run.repetition = repetition;
  run.complete = true;
  run.windows = std::move(windows);
  run.results = found_in(run.windows);
  return run;
}

TEST(ThermalThresholds, EachIsHeldAgainstEveryRun) {
  const ThermalRun run = run_of(windows_of(joined({repeated(40, 4), repeated(20, 8)})));
  EXPECT_THAT(missed(run, {}), IsEmpty());
  EXPECT_THAT(missed(run, {0.5, 20, 50, std::nullopt}), IsEmpty());
  EXPECT_THAT(missed(run, {0.6, 25, 49, std::nullopt}),
              ElementsAre("fixed: --min-stability 0.6: stability is 0.5",
                          "fixed: --min-fps 25: the sustained rate is 20 fps",
                          "fixed: --max-p95-ms 49: the worst window's p95 is 50 ms"));
}

TEST(ThermalThresholds, AnUnknownReadingIsMissed) {
  const ThermalRun run = run_of(windows_of(repeated(20, 12)));
  EXPECT_THAT(missed(run, {std::nullopt, std::nullopt, std::nullopt, 42}),
              ElementsAre("fixed: --max-skin-c 42: the skin's highest temperature is unknown here"));
}

TEST(ThermalThresholds, RepetitionsAgreeWithinFivePercent) {
  const std::vector<ThermalRun> close = {run_of(windows_of(repeated(20, 12))),
                                         run_of(windows_of(repeated(20.9, 12)), 2)};
  EXPECT_THAT(disagreements(close), IsEmpty());
  const std::vector<ThermalRun> far = {run_of(windows_of(repeated(20, 12))),
                                       run_of(windows_of(repeated(21.5, 12)), 2)};
  EXPECT_THAT(disagreements(far),
              ElementsAre("fixed: 2 repetitions sustain 20 to 21.5 fps, more than 5 % apart"));
}

}  // namespace
}  // namespace sluice
