#include "nodes/test_pattern.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::HasSubstr;
using namespace sluice::testing;

FakeSource pattern(const std::string& uri, OptionMap more = {}) {
  more["uri"] = text(uri);
  return FakeSource(video_source_declaration(), std::move(more));
}

TEST(TestPattern, HasTheSizeAndRateThatAreAskedFor) {
  FakeSource source =
      pattern("test:bars", {{"width", integer(320)}, {"height", integer(240)}, {"fps", number(10)}});
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->type,
            (ImageType{PixelFormat::kNv12, 320, 240, {ColorMatrix::kBt709, ColorRange::kLimited}, 0}));
  EXPECT_EQ(info->fps, 10);
  EXPECT_FALSE(info->live);
  source.time.advance_to(7);
  EXPECT_EQ(source.next()->media_time, 0);
  const Result<Capture> second = source.next();
  EXPECT_EQ(second->media_time, from_ms(100));
  EXPECT_EQ(second->captured, 7);
}

TEST(TestPattern, IsSevenTwentyAtThirtyByDefault) {
  FakeSource source = pattern("test:clock");
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok());
  EXPECT_EQ(info->type.width, 1280);
  EXPECT_EQ(info->type.height, 720);
  EXPECT_EQ(info->fps, 30);
}

TEST(TestPattern, IsTheSameInEveryRunAndMoves) {
  for (const char* uri : {"test:bars", "test:noise", "test:clock"}) {
    SCOPED_TRACE(uri);
    FakeSource a = pattern(uri, {{"width", integer(128)}, {"height", integer(64)}});
    FakeSource b = pattern(uri, {{"width", integer(128)}, {"height", integer(64)}});
    ASSERT_TRUE(a.probe().ok() && b.probe().ok());
    std::vector<std::uint8_t> last;
    for (int n = 0; n < 3; ++n) {
      const auto pixels = packed(*a.next()->packet.get<Image>());
      EXPECT_EQ(pixels, packed(*b.next()->packet.get<Image>()));
      EXPECT_NE(pixels, last);
      last = pixels;
    }
  }
}

TEST(TestPattern, BarsHaveTheirColours) {
  FakeSource source = pattern("test:bars", {{"width", integer(320)}, {"height", integer(160)}});
  ASSERT_TRUE(source.probe().ok());
  const Result<Capture> capture = source.next();
  const Image& image = *capture->packet.get<Image>();
  const int red = 5 * 40 + 20;  // the sixth of eight
  EXPECT_EQ(image.planes[0][10 * image.strides[0] + red], 51);
  EXPECT_EQ(image.planes[1][5 * image.strides[1] + red], 109);
  EXPECT_EQ(image.planes[1][5 * image.strides[1] + red + 1], 212);
  EXPECT_EQ(image.planes[1][79 * image.strides[1] + red], 128) << "the ramp is grey";
}

TEST(TestPattern, TheClockCanBeRead) {
  FakeSource source =
      pattern("test:clock", {{"width", integer(640)}, {"height", integer(360)}, {"fps", number(25)}});
  ASSERT_TRUE(source.probe().ok());
  Result<Capture> capture = source.next();
  for (int n = 0; n < 300; ++n) capture = source.next();
  const Image& image = *capture->packet.get<Image>();
  std::uint64_t rows[2] = {};
  for (int row = 0; row < 2; ++row) {
    for (int bit = 0; bit < kClockBits; ++bit) {
      const ClockCell c = clock_cell(640, 360, row, bit);
      rows[row] = rows[row] << 1 |
                  (image.planes[0][(c.y + c.height / 2) * image.strides[0] + c.x + c.width / 2] > 128);
    }
  }
  EXPECT_EQ(rows[0], 300u);
  EXPECT_EQ(rows[1], 12000u);
}

TEST(TestPattern, RefusesSizesItCannotDraw) {
  EXPECT_THAT(pattern("test:bars", {{"width", integer(321)}}).probe().status().message(),
              HasSubstr("option 'width' is 321, allowed for test:bars: even numbers from 64 to 3840"));
  EXPECT_THAT(pattern("test:bars", {{"width", integer(4000)}}).probe().status().message(),
              HasSubstr("option 'width' is 4000, allowed for test:bars: even numbers from 64 to 3840"));
}

TEST(TestPattern, StopsAndCountsWhatFindsNoBuffer) {
  FakeSource source = pattern("test:bars");
  ASSERT_TRUE(source.probe().ok());
  const Result<Capture> a = source.next();
  const Result<Capture> b = source.next();
  EXPECT_EQ(source.next().status().code(), Code::kPoolEmpty);
  source.node().interrupt();
  EXPECT_EQ(source.next().status().code(), Code::kCancelled);
}

}  // namespace
}  // namespace sluice
