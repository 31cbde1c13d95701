// The selector on a simulated device: the objects of a real run, told at each second of simulated time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "runtime/thermal/thermal_json.h"
#include "runtime/thermal/thermal_test.h"
#include "simulation/profile_reader.h"
#include "simulation/profile_writer.h"
#include "tests/backends/log_capture.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::LogCapture;
using testing::ScratchFolder;
using Set = std::vector<std::pair<std::string, std::string>>;

RunReport run(const Set& set, double duration_s, double ambient_c = 25, const std::string& pace = "30",
              const std::string& device = "sim:qcs6490") {
  Set all = {{"camera.loop", "true"}};
  all.insert(all.end(), set.begin(), set.end());
  auto pipeline = Pipeline::load("pipelines/face_fast.yaml", builtin_registry(), {all, pace});
  if (!pipeline.ok()) {
    ADD_FAILURE() << pipeline.status().message();
    return {};
  }
  RunOptions options;
  options.device = device;
  options.duration_s = duration_s;
  options.ambient_c = ambient_c;
  Status status = pipeline->start(options);
  if (status.ok()) status = pipeline->wait();
  EXPECT_TRUE(status.ok()) << status.message();
  return pipeline->report();
}

TEST(SimulatedSelection, StartsWithWhatThePolicyWantsAndSaysWhy) {
  const RunReport report = run({{"face.backends", "[cpu, htp]"}, {"face.policy", "latency"}}, 5);
  ASSERT_EQ(report.inference.size(), 1u);
  EXPECT_EQ(report.inference[0].backend, "htp");
  ASSERT_FALSE(report.inference[0].decisions.empty());
  const DecisionReport& first = report.inference[0].decisions[0];
  EXPECT_EQ(first.at_s, 0);
  EXPECT_THAT(first.reason, HasSubstr("simulated qcs6490: "));
  EXPECT_THAT(first.reason, HasSubstr("policy latency"));
}

TEST(SimulatedSelection, SaysOnceThatADeviceWithoutSensorsIsBlind) {
  DeviceProfile blind = *load_profile("generic");
  blind.sensors.clear();
  const ScratchFolder folder;
  const std::string device = "sim:" + folder.write("blind.yaml", profile_yaml(blind));
  const LogCapture log;
  const RunReport report = run({{"face.policy", "sustained"}}, 5, 25, "30", device);
  const std::string says =
      "policy 'sustained' needs temperatures and no sensor gives one; latency drift alone is used";
  EXPECT_THAT(report.inference.at(0).warnings, ElementsAre(says));
  EXPECT_THAT(LogCapture::warnings(), Contains("node 'face': " + says).Times(1));
  EXPECT_THAT(run({{"face.policy", "latency"}, {"face.max_temperature_c", "60"}}, 5, 25, "30", device)
                  .inference.at(0)
                  .warnings,
              ElementsAre(HasSubstr("max_temperature_c needs temperatures")));
  EXPECT_THAT(run({{"face.policy", "sustained"}}, 5).inference.at(0).warnings, IsEmpty());
}

TEST(SimulatedSelection, LeavesABackendThatFailsAtOnceAndComesBack) {
  const RunReport report =
      run({{"face.backends", "[fake, cpu]"}, {"face.fake", "{latency_ms: 3, fail_at: [100]}"}}, 60);
  const std::vector<DecisionReport>& decisions = report.inference[0].decisions;
  ASSERT_EQ(decisions.size(), 3u);
  EXPECT_EQ(decisions[0].backend, "fake");
  EXPECT_EQ(decisions[1].backend, "cpu");
  EXPECT_NEAR(decisions[1].at_s, 100 / 30.0, 0.1) << "in the run that failed, not a period later";
  EXPECT_THAT(decisions[1].reason, HasSubstr("fake failed"));
  EXPECT_EQ(decisions[2].backend, "fake") << "a probe beside the frames worked";
  EXPECT_EQ(report.sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)], 1u);
}

TEST(SimulatedSelection, LeavesABackendThatHangsWhenItIsGivenUp) {
  const RunReport report = run({{"face.backends", "[fake, cpu]"},
                                {"face.fake", "{latency_ms: 3, hang_at: [60], run_timeout_ms: 5000}"}},
                               20);
  const std::vector<DecisionReport>& decisions = report.inference[0].decisions;
  ASSERT_GE(decisions.size(), 2u);
  EXPECT_THAT(decisions[1].reason, HasSubstr("fake failed"));
  EXPECT_NEAR(decisions[1].at_s, 60 / 30.0 + 5, 0.1);
}

// As in a real run, where a frame that another backend ran well ends the row.
TEST(SimulatedSelection, NanAfterTheReturnIsANewRow) {
  const RunReport report =
      run({{"face.backends", "[fake, cpu]"},
           {"face.fake",
            "{latency_ms: 3, nan_at: [40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54]}"}},
          60);
  const std::vector<DecisionReport>& decisions = report.inference[0].decisions;
  ASSERT_EQ(decisions.size(), 3u);
  EXPECT_EQ(decisions[1].backend, "cpu");
  EXPECT_EQ(decisions[2].backend, "fake") << "and stays: four or five NaN are not ten";
}

TEST(SimulatedSelection, KeepsItsTemperatureByTheLadder) {
  const Set set = {{"face.backends", "[cpu]"},
                   {"face.policy", "sustained"},
                   {"face.max_temperature_c", "45"},
                   {"face.degrade", "[{rate_hz: 10}, {rate_hz: 2}]"}};
  const RunReport report = run(set, 600, 35, "max");
  int step = 0;
  for (const DecisionReport& d : report.inference[0].decisions) step = std::max(step, d.step);
  EXPECT_GE(step, 1);
  EXPECT_GT(report.nodes.size(), 0u);
  std::uint64_t filtered = 0;
  for (const NodeReport& n : report.nodes) filtered += n.filtered;
  EXPECT_GT(filtered, 0u) << "rate_hz filters at the infer node";
}

ThermalReport two_policies() {
  ThermalOptions options;
  options.file = "pipelines/thermal_two_models.yaml";
  options.device = "sim:qcs6490";
  options.ambient_c = 35;
  options.policies = {"fixed", "sustained"};
  ThermalTest test(options, [](const ThermalReport&, const ThermalRun&) -> Status { return {}; });
  LoadIssues issues;
  EXPECT_TRUE(test.check(issues)) << issues.status().message();
  EXPECT_TRUE(test.run().ok());
  return test.report();
}

// The README's figure.
TEST(SimulatedSelection, SustainedLastsLongerThanFixedSideBySide) {
  const ThermalReport report = two_policies();
  ASSERT_EQ(report.runs.size(), 2u);
  const ThermalResults &fixed = report.runs[0].results, &sustained = report.runs[1].results;
  EXPECT_GT(*sustained.sustained_fps, 64);
  EXPECT_LT(*fixed.sustained_fps, 0.8 * *sustained.sustained_fps);
  EXPECT_GT(*sustained.stability, 0.95);
  EXPECT_LT(*sustained.p95_ms, 20);
  EXPECT_EQ(fixed.switches, 0);
}

TEST(SimulatedSelection, DecisionsAreTheSameToTheByte) {
  EXPECT_EQ(thermal_json(two_policies()), thermal_json(two_policies()));
}

}  // namespace
}  // namespace sluice
