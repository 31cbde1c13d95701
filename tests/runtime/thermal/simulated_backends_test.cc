// A real test of a backend that computes nothing: nothing that is printed hides it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "runtime/thermal/thermal_html.h"
#include "runtime/thermal/thermal_json.h"
#include "runtime/thermal/thermal_text.h"

namespace sluice {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SimulatedBackends, AreSaidOfARealTest) {
  ThermalOptions options;
  options.file = "pipelines/thermal_two_models.yaml";
  options.pace = "max";
  options.backends = {{"near", "fake"}, {"far", "fake"}};
  options.duration_s = 1;
  options.cool_down_s = options.recovery_s = 0;
  ThermalTest test(options, [](const ThermalReport& report, const ThermalRun&) {
    EXPECT_THAT(report.runs.back().simulated_backends, ElementsAre("fake")) << "from the first window on";
    return Status{};
  });
  LoadIssues issues;
  ASSERT_TRUE(test.check(issues)) << issues.status().message();
  ASSERT_TRUE(test.run().ok());
  const ThermalReport& report = test.report();
  EXPECT_FALSE(report.simulated) << "the device is real";
  EXPECT_THAT(report.runs.at(0).notices, Contains("node 'near': backend 'fake' is simulated"));
  EXPECT_THAT(thermal_text(report), HasSubstr("on this machine, simulated backend fake"));
  EXPECT_THAT(thermal_html(report), HasSubstr("BACKEND SIMULATED"));
  EXPECT_THAT(thermal_csv(report), HasSubstr("real (backends simulated: fake),"));
  EXPECT_THAT(thermal_json(report), HasSubstr("\"simulated\": true"));
  const std::string path = ::testing::TempDir() + "/simulated_" + std::to_string(::getpid()) + ".json";
  std::ofstream(path) << thermal_json(report);
  const auto read = read_thermal_json(path);
  ASSERT_TRUE(read.ok()) << read.status().message();
  EXPECT_FALSE(read->simulated);
  EXPECT_THAT(read->runs.at(0).simulated_backends, ElementsAre("fake"));
  EXPECT_THAT(thermal_json(*read), HasSubstr("\"simulated\": true"));
}

}  // namespace
}  // namespace sluice
