// Pictures that a decoder swallows without a word count as corrupt: produced and corrupt together are the
// stream's pictures.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using namespace sluice::testing;

constexpr std::size_t kLengthBytes = 4;

struct Counts {
  int produced = 0;
  int corrupt = 0;
  Code end = Code::kOk;
  bool operator==(const Counts&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.produced << " produced, " << counts.corrupt << " corrupt, end "
             << static_cast<int>(counts.end);
}

Counts count(const std::string& path, OptionMap more = {}) {
  more["uri"] = text(path);
  FakeSource source(video_source_declaration(), std::move(more));
  EXPECT_TRUE(source.probe().ok());
  Counts counts;
  counts.end = source.run([&](const Capture&) { ++counts.produced; }).code();
  counts.corrupt = source.corrupted;
  return counts;
}

std::size_t big_endian(const std::vector<std::uint8_t>& bytes, std::size_t at) {
  std::size_t value = 0;
  for (std::size_t i = 0; i < kLengthBytes; ++i) value = value << 8U | bytes.at(at + i);
  return value;
}

// Overwrites the data of the `number`th NAL unit of type IDR (5; ITU-T H.264 table 7-1) in an MP4 file whose
// mdat holds nothing but length-prefixed units.
void break_key_frame(std::vector<std::uint8_t>& mp4, int number) {
  constexpr std::string_view kMdat = "mdat";
  const auto mdat = std::search(mp4.begin(), mp4.end(), kMdat.begin(), kMdat.end());
  ASSERT_NE(mdat, mp4.end());
  auto at = static_cast<std::size_t>(mdat - mp4.begin());
  const std::size_t end = at + big_endian(mp4, at - kLengthBytes) - kLengthBytes;
  for (at += kMdat.size(); at + kLengthBytes < end; at += kLengthBytes + big_endian(mp4, at)) {
    if ((mp4.at(at + kLengthBytes) & 0x1FU) != 5 || number-- > 0) continue;
    for (std::size_t i = 1; i < big_endian(mp4, at); ++i) {
      mp4.at(at + kLengthBytes + i) = static_cast<std::uint8_t>(i * 37);
    }
    return;
  }
  FAIL() << "no such key frame";
}

std::string with_broken_key_frame(const std::string& name, int number) {
  std::vector<std::uint8_t> bytes = read_file(make_media(
      "groups.mp4",
      "-f lavfi -i testsrc2=s=320x180:r=30:d=2 -c:v libx264 -threads 1 -g 20 -bf 2 -x264-params slices=1"));
  break_key_frame(bytes, number);
  write_file(scratch(name), bytes);
  return scratch(name);
}

TEST(LostPictures, WhatIsSwallowedAfterABrokenKeyFrameIsCorrupt) {
  for (const int key_frame : {1, 2}) {
    SCOPED_TRACE(key_frame);
    const Counts counts =
        count(with_broken_key_frame("broken" + std::to_string(key_frame) + ".mp4", key_frame));
    EXPECT_EQ(counts.end, Code::kEndOfStream);
    EXPECT_GT(counts.corrupt, 1) << "the case does not happen";
    EXPECT_EQ(counts.produced + counts.corrupt, 60);
  }
}

TEST(LostPictures, AndInTheFirstGroup) {
  const Counts counts = count(with_broken_key_frame("broken0.mp4", 0));
  EXPECT_EQ(counts.end, Code::kEndOfStream);
  EXPECT_GT(counts.corrupt, 1);
  EXPECT_EQ(counts.produced + counts.corrupt, 60);
}

// However far pictures are reordered, and where the first ones lean on what was cut away.
TEST(LostPictures, WholeStreamsHaveNone) {
  const std::string pattern = "-f lavfi -i testsrc2=s=192x144:r=30 -frames:v 60 ";
  const std::string x265 = "-c:v libx265 -x265-params log-level=error:pools=1:frame-threads=1:";
  const std::string kinds[] = {
      "-c:v libx264 -bf 16 -x264-params threads=1:b-adapt=0:b-pyramid=strict",
      "-c:v libx264 -bf 3 -x264-params threads=1:open-gop=1:keyint=20:b-adapt=0",
      "-c:v libx264 -bf 2 -flags +ilme+ildct -x264-params threads=1:tff=1",
      x265 + "bframes=8:b-adapt=0",
      x265 + "open-gop=1:keyint=20:bframes=6:b-adapt=0",
  };
  int number = 0;
  for (const std::string& kind : kinds) {
    SCOPED_TRACE(kind);
    const std::string name = "whole" + std::to_string(number++);
    const std::string whole = make_media(name + ".mp4", pattern + kind);
    EXPECT_EQ(count(whole), (Counts{60, 0, Code::kEndOfStream}));
    const Counts cut = count(make_media(name + "_cut.mkv", "-ss 1 -i '" + whole + "' -c copy"));
    EXPECT_GT(cut.produced, 20);
    EXPECT_EQ(cut.corrupt, 0);
  }
}

// The picture that ended the source was none that the decoder lost.
TEST(LostPictures, APictureThatIsTooLargeIsNotCorrupt) {
  const std::string whole =
      make_media("tall.mp4", "-f lavfi -i testsrc2=s=320x180:r=30:d=1 -c:v libx264 -bf 2");
  make_media("small.ts", "-i '" + whole + "' -c copy");
  make_media("large.ts", "-f lavfi -i testsrc2=s=640x360:r=30:d=1 -c:v libx264 -bf 2");
  std::vector<std::uint8_t> both = read_file(scratch("small.ts"));
  std::ranges::copy(read_file(scratch("large.ts")), std::back_inserter(both));
  write_file(scratch("both.ts"), both);
  EXPECT_EQ(count(scratch("both.ts"), {{"max_width", integer(400)}}), (Counts{30, 0, Code::kFailed}));
}

}  // namespace
}  // namespace sluice
