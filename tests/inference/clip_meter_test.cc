// What quantised inputs cut off: one warning above 1 %, whoever asks how often.
#include "inference/clip_meter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "tests/backends/log_capture.h"

namespace sluice {
namespace {

using sluice::testing::LogCapture;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(ClipMeter, WarnsOnceAboveOnePercentAndNamesNodeInputAndFraction) {
  LogCapture log;
  ClipMeter meter("pre", "image");
  for (int frame = 0; frame < 100; ++frame) meter.add(34, 1000);
  meter.finish();
  EXPECT_THAT(log.warnings(),
              ElementsAre(AllOf(HasSubstr("node 'pre'"), HasSubstr("3.4 %"), HasSubstr("input 'image'"),
                                HasSubstr("allowed: 1 %"), HasSubstr("sluice quantize --data"))));
  EXPECT_EQ(meter.warning(), log.warnings()[0]);
  EXPECT_EQ(meter.clipped(), 3400u);
  EXPECT_EQ(meter.values(), 100'000u);
}

TEST(ClipMeter, ExactlyOnePercentIsAllowed) {
  LogCapture log;
  ClipMeter meter("pre", "image");
  for (int frame = 0; frame < 100; ++frame) meter.add(10, 1000);
  meter.finish();
  EXPECT_THAT(log.warnings(), IsEmpty());
  EXPECT_EQ(meter.warning(), "");
}

// The camera's first picture may be anything; a short run is judged when it is over.
TEST(ClipMeter, JudgesFewFramesAtTheEndOnly) {
  LogCapture log;
  ClipMeter meter("pre", "");
  for (std::uint64_t frame = 1; frame < ClipMeter::kFewFrames; ++frame) meter.add(1000, 1000);
  EXPECT_THAT(log.warnings(), IsEmpty());
  meter.finish();
  EXPECT_THAT(log.warnings(), ElementsAre(HasSubstr("100.0 % of the values for the tensor lie")));
}

TEST(ClipMeter, NothingWrittenIsNothingToJudge) {
  LogCapture log;
  ClipMeter("pre", "image").finish();
  EXPECT_THAT(log.warnings(), IsEmpty());
}

TEST(ClipMeter, ThreadsShareTheOneWarning) {
  LogCapture log;
  ClipMeter meter("quantize", "image");
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&meter] {
      for (int frame = 0; frame < 1000; ++frame) meter.add(2, 100);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(log.warnings().size(), 1u);
  EXPECT_EQ(meter.clipped(), 8000u);
}

}  // namespace
}  // namespace sluice
