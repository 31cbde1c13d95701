#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/thermal/thermal_json.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;

// RFC 4180: a name may hold what separates the others.
TEST(ThermalCsv, QuotesNames) {
  ThermalWindow window;
  window.t_s = window.seconds = 10;
  window.infer = {{"near", "htp", "a,b", "", 0, "", {}}, {"far", "htp", "", "", 0, "", {}}};
  ThermalReport report;
  report.simulated = true;
  report.device = "Acme \"Board\", rev 2";
  report.runs.push_back({.policy = "fixed", .windows = {window}});
  const std::string csv = thermal_csv(report);
  EXPECT_THAT(csv, HasSubstr("\n\"simulated Acme \"\"Board\"\", rev 2\",fixed,1,load,10,"));
  EXPECT_THAT(csv, HasSubstr(",\"near=htp/a,b far=htp\","));
}

}  // namespace
}  // namespace sluice
