#include "tools/sluice/progress.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

RunReport example() {
  RunReport r;
  r.pipeline = "face";
  r.sources.resize(1);
  r.sources[0].produced = 300;
  r.sources[0].delivered = 297;
  r.sources[0].dropped[static_cast<std::size_t>(DropReason::kStale)] = 2;
  r.sources[0].dropped[static_cast<std::size_t>(DropReason::kOverload)] = 1;
  return r;
}

TEST(Progress, LineLeavesOutWhatIsNotKnown) {
  RunReport r = example();
  EXPECT_EQ(progress_line(r), "297 frames, dropped 3");
  r.fps = 29.94;
  r.latency.p50 = 8.9;
  r.latency.p95 = 11.23;
  EXPECT_EQ(progress_line(r), "297 frames, 29.9 fps, latency p50 8.9 ms p95 11.2 ms, dropped 3");
}

TEST(Progress, Summary) {
  EXPECT_EQ(summary_line(example()),
            "face: completed, 300 frames produced, 297 delivered, dropped 3 (overload 1, stale 2)");
}

TEST(Progress, NothingOnAPipe) {
  ::testing::internal::CaptureStderr();
  {
    Progress progress(false);
    EXPECT_FALSE(progress.active());
    progress.show(example());
  }
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

// What comes out of a simulated device is never taken for a measurement.
TEST(Progress, SaysThatARunWasSimulated) {
  RunReport report = example();
  report.simulated = true;
  EXPECT_TRUE(summary_line(report).ends_with(", simulated"));
  EXPECT_TRUE(progress_line(report).ends_with(", simulated"));
  report.device.emplace();
  report.device->profile = "qcs6490";
  EXPECT_TRUE(summary_line(report).ends_with(", simulated qcs6490"));
}

}  // namespace
}  // namespace sluice::cli
