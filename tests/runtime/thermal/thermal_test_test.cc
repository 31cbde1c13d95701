// The whole test on simulated devices: phases, resuming and files.
#include "runtime/thermal/thermal_test.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <memory>

#include "runtime/thermal/thermal_html.h"
#include "runtime/thermal/thermal_json.h"
#include "runtime/thermal/thermal_text.h"
#include "tests/runtime/thermal/support.h"

namespace sluice {
namespace {

using sluice::testing::keep_on;
using sluice::testing::report_of;
using sluice::testing::thermal_options;
using ::testing::HasSubstr;

TEST(ThermalTest, HasItsPhases) {
  const ThermalReport report = report_of(thermal_options());
  EXPECT_TRUE(report.simulated);
  EXPECT_EQ(report.device, "qcs6490");
  ASSERT_EQ(report.runs.size(), 1u);
  const ThermalRun& run = report.runs[0];
  EXPECT_TRUE(run.complete);
  std::size_t load = 0;
  for (const ThermalWindow& w : run.windows) load += w.load;
  EXPECT_EQ(load, 60u);
  EXPECT_EQ(run.windows.size(), 66u);
  const auto skin = static_cast<std::size_t>(HeatRole::kSkin);
  const auto npu = static_cast<std::size_t>(HeatRole::kNpu);
  EXPECT_LT(*run.windows.front().temperature_c[skin], 42) << "it had cooled down";
  EXPECT_LT(*run.windows.back().temperature_c[npu], *run.windows[59].temperature_c[npu]) << "it recovers";
  EXPECT_FALSE(run.windows.back().fps);
  EXPECT_TRUE(run.windows.front().power_w);
  EXPECT_FALSE(run.windows.front().rss_mb) << "of this process, not of the device";
  EXPECT_LT(*run.results.stability, 0.9) << "two models at full speed at 35 degrees C";
}

// The load of no whole number of windows: each window is of one phase, and no frame is lost between them.
TEST(ThermalTest, WindowsEndWithTheLoad) {
  for (const double load_s : {120.0, 124.0, 125.5, 126.0}) {
    ThermalOptions wanted = thermal_options(load_s);
    wanted.ambient_c = 25;
    wanted.pace = "30";
    const ThermalRun whole = report_of(wanted).runs.at(0);
    wanted.recovery_s = 0;
    const ThermalRun alone = report_of(wanted).runs.at(0);
    std::vector<ThermalWindow> load = whole.windows;
    std::erase_if(load, [](const ThermalWindow& w) { return !w.load; });
    EXPECT_EQ(load.size(), alone.windows.size()) << load_s;
    EXPECT_NEAR(load.back().t_s, load_s, 0.5);
    EXPECT_EQ(whole.results.delivered, alone.results.delivered) << load_s;
    EXPECT_NEAR(*whole.results.worst_fps, 30, 1) << load_s;
    EXPECT_EQ(whole.windows.size(), load.size() + 6) << load_s;
    for (std::size_t i = load.size(); i < whole.windows.size(); ++i)
      EXPECT_EQ(whole.windows[i].delivered, 0u);
  }
}

// Of a simulated device, which idles before it.
TEST(ThermalTest, TellsTheCoolDownBeforeASimulatedRun) {
  ThermalOptions wanted = thermal_options(20);
  const auto found = [&](double most_s) {
    wanted.cool_down_s = most_s;
    const ThermalRun run = report_of(wanted).runs.at(0);
    return std::pair(run.cool_down, run.cool_down_s);
  };
  EXPECT_EQ(found(0), std::pair(std::string("none asked for"), 0.0));
  EXPECT_EQ(found(90), std::pair(std::string("not steady within the time given"), 90.0));
  const auto [words, seconds] = found(36'000);
  EXPECT_EQ(words, "steady");
  EXPECT_GT(seconds, 90);
  EXPECT_LT(seconds, 36'000);
}

TEST(ThermalTest, RunsAreTheSameToTheByte) {
  EXPECT_EQ(thermal_json(report_of(thermal_options())), thermal_json(report_of(thermal_options())));
}

// A file that says `policy: latency` was tested under `fixed` unless told otherwise.
TEST(ThermalTest, WithoutPoliciesTheFilesOwnHold) {
  ThermalOptions wanted = thermal_options(20);
  wanted.set = {{"near.policy", "sustained"}};
  const ThermalReport mixed = report_of(wanted);
  ASSERT_EQ(mixed.runs.size(), 1u);
  EXPECT_EQ(mixed.runs[0].policy, "fixed+sustained");
  const auto& infer = mixed.runs[0].windows.front().infer;
  EXPECT_THAT(infer[0].reason, HasSubstr("policy sustained"));
  EXPECT_THAT(infer[1].reason, HasSubstr("policy fixed"));
  wanted.file = "pipelines/adaptive.yaml";
  wanted.set.clear();
  EXPECT_EQ(report_of(wanted).runs[0].policy, "latency");
  wanted.policies = {"fixed"};
  EXPECT_EQ(report_of(wanted).runs[0].policy, "fixed");
}

TEST(ThermalTest, ForcesBackendsAndRepeats) {
  ThermalOptions wanted = thermal_options(60);
  wanted.backends = {{"near", "cpu"}};
  wanted.repeat = 2;
  const ThermalReport report = report_of(wanted);
  ASSERT_EQ(report.runs.size(), 2u);
  EXPECT_EQ(report.runs[1].repetition, 2);
  EXPECT_EQ(report.runs[0].windows[0].infer[0].backend, "cpu");
  EXPECT_EQ(report.runs[0].windows[0].infer[1].backend, "htp");
}

TEST(ThermalTest, ResumeKeepsWhatIsCompleteAndRunsTheRest) {
  ThermalOptions wanted = thermal_options(120);
  wanted.repeat = 3;
  const ThermalReport whole = report_of(wanted);
  ThermalReport earlier = whole;
  earlier.runs.pop_back();
  earlier.runs[1].complete = false;
  earlier.runs[1].windows.resize(3);
  ThermalTest test(wanted, keep_on);
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues));
  ASSERT_TRUE(test.resume(earlier).ok());
  ASSERT_TRUE(test.run().ok());
  EXPECT_EQ(thermal_json(test.report()), thermal_json(whole));
}

TEST(ThermalTest, ResumeRefusesAnotherTest) {
  ThermalTest test(thermal_options(120), keep_on);
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues));
  ThermalReport other = test.report();
  other.duration_s = 60;
  EXPECT_THAT(test.resume(other).message(), HasSubstr("of another --duration"));
  other = test.report();
  other.ambient_c = 25;
  EXPECT_THAT(test.resume(other).message(), HasSubstr("of another --ambient"));
  // Windows of another pace or backend are no beginning of these.
  other = test.report();
  other.load = "--pace 30 --backend near=gpu";
  EXPECT_THAT(test.resume(other).message(),
              HasSubstr("of another load ('--pace 30 --backend near=gpu', now '--pace max')"));
  EXPECT_TRUE(test.resume(test.report()).ok());
}

TEST(ThermalTest, StopsBetweenWindowsAndKeepsThem) {
  ThermalOptions wanted = thermal_options();
  ThermalTest* running = nullptr;
  std::size_t seen = 0;
  ThermalTest test(wanted, [&](const ThermalReport& report, const ThermalRun&) -> Status {
    seen = report.runs.back().windows.size();
    if (seen == 7) running->stop();
    return {};
  });
  running = &test;
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues));
  EXPECT_TRUE(test.run().ok());
  ASSERT_EQ(test.report().runs.size(), 1u);
  EXPECT_FALSE(test.report().runs[0].complete);
  EXPECT_EQ(test.report().runs[0].windows.size(), 7u);
}

TEST(ThermalTest, AFullDiskEndsItAtOnce) {
  ThermalTest test(thermal_options(), [](const ThermalReport& report, const ThermalRun&) -> Status {
    return report.runs.back().windows.size() < 3 ? Status{} : failed("--json: no space left");
  });
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues));
  EXPECT_THAT(test.run().message(), HasSubstr("no space left"));
  EXPECT_LE(test.report().runs[0].windows.size(), 4u);
}

// Sleeping takes no time.
class InstantClock final : public Clock {
 public:
  TimeNs now() const override { return now_; }
  TimerId at(TimeNs, TimerKey, std::function<void()>) override { return 1; }
  void cancel(TimerId) override {}
  bool sleep_until(TimeNs due, const std::function<bool()>& woken) override {
    now_ = std::max(now_, due);
    return !woken();
  }
  void interrupt() override {}

 private:
  TimeNs now_ = 0;
};

// A device whose temperature at each look is what the test says.
class Thermometer final : public Telemetry {
 public:
  explicit Thermometer(std::function<double(int look)> celsius) : celsius_(std::move(celsius)) {}
  std::string_view source() const override { return "made"; }
  Readings sample(TimeNs now) override {
    Readings out;
    out.at = now;
    out.temperature(HeatRole::kCpu) = {celsius_(look_++), now, Health::kGood};
    return out;
  }
  std::vector<SensorState> sensors() const override { return {}; }

 private:
  const std::function<double(int)> celsius_;
  int look_ = 0;
};

// On this machine: a load of a second, without an inference engine.
TEST(ThermalTest, WithoutARecoveryTheLastWindowOfTheLoadCounts) {
  ThermalOptions wanted = thermal_options(120);
  wanted.recovery_s = 0;
  const ThermalRun run = report_of(wanted).runs.at(0);
  ASSERT_EQ(run.windows.size(), 12u);
  EXPECT_TRUE(run.windows.back().load);
  EXPECT_NEAR(run.windows.back().t_s, 120, 0.5);
}

ThermalOptions real_options(Clock& clock, const std::function<double(int)>& celsius) {
  ThermalOptions out = thermal_options(1);
  out.device = "real";
  out.ambient_c.reset();
  out.backends = {{"near", "fake"}, {"far", "fake"}};
  out.clock = &clock;
  out.telemetry = [celsius] { return std::make_unique<Thermometer>(celsius); };
  return out;
}

TEST(RealThermalTest, CoolsDownUntilSteadyAndRecovers) {
  InstantClock clock;
  ThermalOptions wanted = real_options(clock, [](int look) { return 40 + std::max(0.0, 30.0 - look); });
  wanted.recovery_s = 40;
  const ThermalReport report = report_of(wanted);
  ASSERT_EQ(report.runs.size(), 1u);
  const ThermalRun& run = report.runs[0];
  EXPECT_TRUE(run.complete);
  EXPECT_EQ(run.cool_down, "steady");
  EXPECT_NEAR(run.cool_down_s, 88, 3) << "a minute without change";
  ASSERT_FALSE(run.windows.empty());
  EXPECT_TRUE(run.windows.front().load);
  EXPECT_FALSE(run.windows.back().load);
  EXPECT_EQ(run.windows.back().temperature_c[static_cast<std::size_t>(HeatRole::kCpu)], 40);
  EXPECT_FALSE(report.simulated);
}

// Pictures are files, which loop.
TEST(ThermalTest, PicturesLoop) {
  const std::string folder = ::testing::TempDir() + "/thermal_pictures_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/one.pgm", std::ios::binary) << "P5 4 4 255\n0123456789abcdef";
  std::ofstream(folder + "/test.yaml")
      << "version: 1\nnodes:\n- {id: cam, type: image_source, options: {path: "
         "one.pgm}}\n- {id: out, type: null_sink, inputs: cam}\n";
  ThermalOptions wanted = thermal_options(30);
  wanted.file = folder + "/test.yaml";
  wanted.pace = "30";
  const ThermalReport report = report_of(wanted);
  EXPECT_NEAR(*report.runs.at(0).results.sustained_fps, 30, 1);
}

// What was run is real; what was read is not, and nothing that is printed hides it.
TEST(RealThermalTest, ReadingsOfAProfileAreCalledSimulated) {
  ThermalReport report;
  report.pipeline = "p";
  report.device = "real";
  report.readings = "generic";
  report.runs.push_back({"fixed"});
  EXPECT_THAT(thermal_text(report), HasSubstr("p on this machine, readings simulated (profile generic)"));
  EXPECT_THAT(thermal_html(report), HasSubstr("READINGS SIMULATED"));
  EXPECT_THAT(thermal_json(report), HasSubstr("\"simulated_readings\": \"generic\""));
}

TEST(RealThermalTest, ATestOfSimulatedReadingsSaysSo) {
  const std::string path = ::testing::TempDir() + "/thermal_readings_" + std::to_string(::getpid()) + ".yaml";
  std::ofstream(path)
      << "version: 1\nnodes:\n- {id: cam, type: video_source, options: {uri: 'test:bars', width: "
         "64, height: 64}}\n- {id: out, type: null_sink, inputs: cam}\ndevice: {telemetry: "
         "simulated, profile: generic}\n";
  InstantClock clock;
  ThermalOptions wanted = real_options(clock, [](int) { return 40.0; });
  wanted.file = path;
  wanted.backends.clear();
  wanted.pace.reset();
  wanted.recovery_s = wanted.cool_down_s = 0;
  wanted.duration_s = 0.2;
  const ThermalReport report = report_of(wanted);
  EXPECT_EQ(report.readings, "generic");
  EXPECT_FALSE(report.simulated);
  EXPECT_THAT(report.runs.at(0).notices, ::testing::Contains(HasSubstr("are simulated, of profile generic")));
}

TEST(RealThermalTest, AnInterruptEndsTheCoolDown) {
  InstantClock clock;
  ThermalTest* running = nullptr;
  ThermalTest test(real_options(clock,
                                [&running](int look) {
                                  if (look == 20) running->stop();
                                  return 90.0 - look;
                                }),
                   keep_on);
  running = &test;
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues)) << issues.status().message();
  EXPECT_TRUE(test.run().ok());
  ASSERT_EQ(test.report().runs.size(), 1u);
  EXPECT_EQ(test.report().runs[0].cool_down, "interrupted");
  EXPECT_TRUE(test.report().runs[0].windows.empty());
  EXPECT_FALSE(test.report().runs[0].complete);
}

TEST(RealThermalTest, AnInterruptInTheRecoveryKeepsTheLoadAndResumesWithTheRecovery) {
  InstantClock clock;
  ThermalTest* running = nullptr;
  std::size_t load = 0;
  ThermalOptions wanted = real_options(clock, [](int) { return 50.0; });
  wanted.cool_down_s = 0;
  ThermalTest test(wanted, [&](const ThermalReport& report, const ThermalRun&) -> Status {
    const std::vector<ThermalWindow>& windows = report.runs.back().windows;
    if (windows.back().load) load = windows.size();
    if (windows.size() == load + 2) running->stop();
    return {};
  });
  running = &test;
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues)) << issues.status().message();
  EXPECT_TRUE(test.run().ok());
  ASSERT_EQ(test.report().runs.size(), 1u);
  EXPECT_FALSE(test.report().runs[0].complete);
  EXPECT_GT(load, 0u);
  EXPECT_EQ(test.report().runs[0].windows.size(), load + 2);
  ThermalTest again(wanted, keep_on);
  ASSERT_TRUE(again.check(issues));
  ASSERT_TRUE(again.resume(test.report()).ok());
  EXPECT_TRUE(again.run().ok());
  const ThermalRun& run = again.report().runs[0];
  EXPECT_TRUE(run.complete);
  std::size_t loads = 0;
  for (const ThermalWindow& w : run.windows) loads += w.load;
  EXPECT_EQ(loads, load) << "the load is not run again";
  EXPECT_GT(run.windows.size(), load + 2);
}

TEST(ThermalTest, AnInterruptInTheSimulatedRecoveryKeepsWhatThereIs) {
  ThermalTest* running = nullptr;
  ThermalTest test(thermal_options(120), [&](const ThermalReport& report, const ThermalRun&) -> Status {
    if (!report.runs.back().windows.back().load) running->stop();
    return {};
  });
  running = &test;
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues));
  EXPECT_TRUE(test.run().ok());
  const ThermalRun& run = test.report().runs[0];
  EXPECT_FALSE(run.complete);
  EXPECT_EQ(run.windows.size(), 13u);
}

TEST(ThermalTest, AProfileThatIsNotThereIsAnError) {
  ThermalOptions wanted = thermal_options();
  wanted.device = "sim:nothing";
  ThermalTest test(wanted, keep_on);
  LoadIssues issues;
  EXPECT_FALSE(test.check(issues));
  EXPECT_THAT(issues.status().message(), HasSubstr("there is no profile 'nothing'"));
}

}  // namespace
}  // namespace sluice
