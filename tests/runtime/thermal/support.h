// A thermal test of two models on a simulated device, for the tests of what it does and of what it writes.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "runtime/thermal/thermal_test.h"

namespace sluice::testing {

inline ThermalOptions thermal_options(double duration_s = 600) {
  ThermalOptions out;
  out.file = "pipelines/thermal_two_models.yaml";
  out.pace = "max";
  out.device = "sim:qcs6490";
  out.ambient_c = 35;
  out.duration_s = duration_s;
  out.recovery_s = 60;
  return out;
}

inline Status keep_on(const ThermalReport&, const ThermalRun&) { return {}; }

inline ThermalReport report_of(ThermalOptions wanted) {
  ThermalTest test(std::move(wanted), keep_on);
  LoadIssues issues;
  EXPECT_TRUE(test.check(issues)) << issues.status().message();
  const Status status = test.run();
  EXPECT_TRUE(status.ok()) << status.message();
  return test.report();
}

}  // namespace sluice::testing
