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
  const ThermalResults r = results_of(windows_of(rates));
  EXPECT_NEAR(*r.peak_fps, (5 * 30 + 60) / 6.0, 1e-9);
  EXPECT_EQ(r.sustained_fps, 20) << "the median of the last five minutes";
  EXPECT_NEAR(*r.stability, 20 / 35.0, 1e-9);
  EXPECT_EQ(r.time_to_10pct_loss_s, 60) << "30 of 35 is below 90 %, from the seventh window on";
}

TEST(ThermalResults, ShortLoadsUseThirds) {
  // 2 minutes: peak over 40 s, sustained over the last 40 s.
  const ThermalResults r =
      results_of(windows_of(joined({repeated(40, 4), repeated(30, 4), repeated(20, 4)})));
  EXPECT_EQ(r.peak_fps, 40);
  EXPECT_EQ(r.sustained_fps, 20);
  EXPECT_EQ(r.stability, 0.5);
  EXPECT_EQ(window_length_s(120), 10);
  EXPECT_EQ(window_length_s(60), 5) << "so that a third has several windows";
}

TEST(ThermalResults, OneBadWindowIsNoLoss) {
  const auto rates = joined({repeated(30, 20), {10}, repeated(30, 20)});
  const ThermalResults r = results_of(windows_of(rates));
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
  const ThermalResults r = results_of(windows);
  EXPECT_EQ(r.sustained_fps, 30);
  EXPECT_EQ(r.worst_fps, 30);
  EXPECT_EQ(r.stability, 1);
  EXPECT_EQ(r.delivered, 30u * 120 + 1) << "its frames count";
}

TEST(ThermalResults, EnergyAndMemory) {
  auto windows = windows_of(repeated(20, 12));
  for (std::size_t i = 0; i < windows.size(); ++i) windows[i].rss_mb = 100 + 0.5 * static_cast<double>(i + 1);
  const ThermalResults r = results_of(windows);
  EXPECT_NEAR(*r.energy_per_frame_j, 0.1, 1e-9) << "2 W at 20 frames per second";
  EXPECT_NEAR(*r.memory_slope_mb_per_min, 3, 1e-9);
  windows[3].power_w.reset();
  windows[3].rss_mb.reset();
  EXPECT_EQ(results_of(windows).energy_per_frame_j, std::nullopt) << "unknown once is unknown";
  EXPECT_EQ(results_of(windows).memory_slope_mb_per_min, std::nullopt);
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
  EXPECT_EQ(results_of(windows).switches, 1 + 1 + 3);
  windows[5].infer[0] = {"face", "gpu", "small", "balanced", 0, "d", {htp, again}};
  EXPECT_EQ(results_of(windows).switches, 1 + 1 + 2) << "there and back";
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
  EXPECT_EQ(quiet.infer.at(0).reason, "the first choice");
  const ThermalWindow busy = recorder.next(at(20, {first, failed, back}), true);
  ASSERT_EQ(busy.infer.at(0).changes.size(), 2u);
  EXPECT_EQ(busy.infer.at(0).changes[0].reason, "htp failed");
  EXPECT_EQ(busy.infer.at(0).changes[0].backend, "cpu");
  EXPECT_EQ(busy.infer.at(0).changes[1].at_s, 17);
  EXPECT_EQ(busy.infer.at(0).backend, "htp");
}

TEST(ThermalResults, RecoveryIsNoLoad) {
  auto windows = windows_of(repeated(20, 12));
  ThermalWindow after;
  after.t_s = 130;
  after.seconds = 10;
  after.load = false;
  after.temperature_c[static_cast<std::size_t>(HeatRole::kSkin)] = 41;
  windows.push_back(after);
  const ThermalResults r = results_of(windows);
  EXPECT_EQ(r.sustained_fps, 20);
  EXPECT_EQ(r.max_skin_c, 41);
}

TEST(ThermalResults, NothingIsUnknown) {
  const ThermalResults r = results_of({});
  EXPECT_EQ(r.peak_fps, std::nullopt);
  EXPECT_EQ(r.stability, std::nullopt);
}

ThermalRun run_of(std::vector<ThermalWindow> windows, int repetition = 1) {
  ThermalRun run;
  run.policy = "fixed";
  run.repetition = repetition;
  run.complete = true;
  run.windows = std::move(windows);
  run.results = results_of(run.windows);
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
