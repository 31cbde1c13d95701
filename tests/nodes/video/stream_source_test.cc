// video_source on files: the right pictures, types and times, and what is said when a file is not as it
// should be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <future>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace sluice::testing;

FakeSource open_video(const std::string& uri, OptionMap more = {}, std::size_t downstream = 2) {
  more["uri"] = text(uri);
  return FakeSource(video_source_declaration(), std::move(more), downstream);
}

struct Seen {
  Status end;
  std::vector<TimeNs> times;
  std::vector<ImageType> types;
  std::vector<std::uint8_t> pixels;
  std::size_t count() const { return times.size(); }
};

Seen read_all(FakeSource& source, bool keep_pixels = false) {
  Seen seen;
  seen.end = source.run([&](const Capture& capture) {
    const Image& image = *capture.packet.get<Image>();
    seen.times.push_back(capture.media_time);
    seen.types.push_back(image.type);
    if (keep_pixels) append_packed(image, seen.pixels);
  });
  return seen;
}

std::string probe_error(const std::string& uri, OptionMap more = {}) {
  FakeSource source = open_video(uri, std::move(more));
  const Status status = source.probe().status();
  EXPECT_FALSE(status.ok());
  return status.message();
}

TEST(StreamSource, GivesTheSamePixelsAsFfmpeg) {
  FakeSource source = open_video(small_video());
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(info->type.format, PixelFormat::kI420);
  EXPECT_EQ(info->type.width, 320);
  EXPECT_EQ(info->type.height, 180);
  EXPECT_FALSE(info->live);
  EXPECT_DOUBLE_EQ(info->fps, 30.0);
  EXPECT_EQ(info->frames, 30);
  EXPECT_EQ(source.changes.size(), 0u);
  const Seen seen = read_all(source, true);
  EXPECT_EQ(seen.end.code(), Code::kEndOfStream);
  EXPECT_EQ(seen.count(), 30u);
  EXPECT_TRUE(seen.pixels == ffmpeg_output("-i '" + small_video() + "' -vsync passthrough -f rawvideo"));
}

TEST(StreamSource, ReadsTheSampleVideoBitExactly) {
  const std::string video = cached("videos/face720.mp4");
  if (video.empty()) GTEST_SKIP() << "tools/dev setup has not fetched face720.mp4";
  FakeSource source = open_video(video);
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source, true);
  const std::vector<std::uint8_t> expected =
      ffmpeg_output("-i '" + video + "' -vsync passthrough -f rawvideo");
  EXPECT_EQ(seen.count(), expected.size() / (1280 * 720 * 3 / 2));
  EXPECT_NEAR(to_ms(seen.times.back()), static_cast<double>(seen.count() - 1) * 1000 / 30, 0.001);
  EXPECT_TRUE(seen.pixels == expected);
}

TEST(StreamSource, PicturesLieInThePoolThatWasAnnounced) {
  FakeSource source = open_video(small_video());
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok());
  EXPECT_GT(info->decoder_buffers, 2);
  int in_pool = 0;
  const Status end = source.run([&](const Capture& c) { in_pool += c.packet.get<Image>()->buffer ? 1 : 0; });
  EXPECT_EQ(end.code(), Code::kEndOfStream);
  EXPECT_EQ(in_pool, 30);
  EXPECT_EQ(source.pool_stats().exhausted, 0u);
  EXPECT_LE(source.pool_stats().high_water, static_cast<std::size_t>(info->decoder_buffers) + 1);
  EXPECT_TRUE(source.changes.empty());
  EXPECT_TRUE(source.node().close().ok());
  EXPECT_EQ(source.pool_stats().in_use, 0u);
}

TEST(StreamSource, AnEmptyPoolLosesAFrameButNotThePicture) {
  FakeSource source = open_video(small_video(), {}, 12);
  ASSERT_TRUE(source.probe().ok());
  const std::vector<std::uint8_t> expected =
      ffmpeg_output("-i '" + small_video() + "' -vsync passthrough -f rawvideo");
  const std::size_t frame_bytes = expected.size() / 30;
  std::vector<BufferRef> hoard;
  int delivered = 0;
  int lost = 0;
  for (int n = 0; n < 30; ++n) {
    if (n == 5) {
      while (true) {
        Result<BufferRef> buffer = source.acquire_buffer(1);
        if (!buffer.ok()) break;
        hoard.push_back(*std::move(buffer));
      }
    }
    if (n == 12) hoard.clear();
    const Result<Capture> capture = source.next();
    if (!capture.ok()) {
      ASSERT_EQ(capture.status().code(), Code::kPoolEmpty) << capture.status().message();
      ++lost;
      continue;
    }
    ++delivered;
    const std::vector<std::uint8_t> pixels = packed(*capture->packet.get<Image>());
    EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(),
                           expected.begin() + static_cast<std::ptrdiff_t>(n * frame_bytes)))
        << "frame " << n << " is not as decoded";
  }
  EXPECT_GT(lost, 0);
  EXPECT_GT(delivered, 15);
  EXPECT_EQ(source.next().status().code(), Code::kEndOfStream);
}

TEST(StreamSource, MediaTimeFollowsTheStamps) {
  const std::string video = make_media("vfr.mkv",
                                       "-f lavfi -i testsrc2=s=64x64:r=25:d=1 -vf "
                                       "\"setpts='if(lt(N,10),N,N*3)/25/TB'\" -vsync vfr -c:v mpeg4");
  FakeSource source = open_video(video);
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  ASSERT_EQ(seen.count(), 25u);
  EXPECT_EQ(seen.times[0], 0);
  EXPECT_EQ(seen.times[9], from_ms(360));
  EXPECT_EQ(seen.times[10], from_ms(1200));
}

TEST(StreamSource, ARawStreamWithoutStampsGetsItsRate) {
  const std::string video =
      make_media("raw.h264", "-i '" + small_video() + "' -c copy -bsf:v h264_mp4toannexb");
  FakeSource source = open_video(video);
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  ASSERT_EQ(seen.count(), 30u);
  for (std::size_t i = 1; i < seen.count(); ++i) EXPECT_GT(seen.times[i], seen.times[i - 1]);
}

TEST(StreamSource, LatencyStartsWhenThePacketGoesToTheDecoder) {
  FakeSource source = open_video(small_video());
  source.time.advance_to(from_ms(1));
  ASSERT_TRUE(source.probe().ok());
  source.time.advance_to(from_ms(500));
  const Result<Capture> capture = source.next();
  ASSERT_TRUE(capture.ok());
  EXPECT_EQ(capture->captured, from_ms(500));
}

TEST(StreamSource, TakesRotationFromTheFile) {
  const std::string turned =
      make_media("turned.mp4", "-i '" + small_video() + "' -c copy -metadata:s:v rotate=270");
  FakeSource source = open_video(turned);
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok());
  ASSERT_EQ(info->type.rotation, 90);
  const Result<Capture> capture = source.next();
  ASSERT_TRUE(capture.ok());
  const Image& stored = *capture->packet.get<Image>();
  EXPECT_EQ(stored.type.rotation, 90);
  EXPECT_EQ(stored.type.upright_width(), 180);
  const auto upright =
      ffmpeg_output("-i '" + turned + "' -frames:v 1 -f rawvideo");  // ffmpeg turns it itself
  int wrong = 0;
  for (int y = 0; y < 320; ++y) {
    for (int x = 0; x < 180; ++x) {
      const std::uint8_t sample = stored.planes[0][(179 - x) * stored.strides[0] + y];
      wrong += sample != upright[static_cast<std::size_t>(y) * 180 + static_cast<std::size_t>(x)];
    }
  }
  EXPECT_EQ(wrong, 0);
}

TEST(StreamSource, TakesColourFromTheFile) {
  const std::string tagged =
      make_media("tagged.mp4",
                 "-f lavfi -i testsrc2=s=64x64:d=0.2 -c:v libx264 -colorspace bt709 -color_range pc "
                 "-vf scale=out_range=full,format=yuv420p");
  FakeSource full = open_video(tagged);
  ASSERT_TRUE(full.probe().ok());
  const ImageType type = read_all(full).types.front();
  EXPECT_EQ(type.color, (ColorSpace{ColorMatrix::kBt709, ColorRange::kFull}));
}

TEST(StreamSource, LimitedGreyIsExpanded) {
  const struct {
    const char* name;
    const char* pixels;
    int luma;
    const char* range;
    int expected;
  } cases[] = {{"gray_black.mkv", "gray", 16, "tv", 0},
               {"gray_white.mkv", "gray", 235, "tv", 255},
               {"gray10.mkv", "gray10le", 235 * 4, "tv", 255},
               {"gray_full.mkv", "gray", 235, "pc", 235}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    FakeSource source = open_video(make_media(
        c.name, fmt::format("-f lavfi -i color=black:s=32x16:r=2:d=1,format={},geq=lum={} -c:v ffv1 "
                            "-color_range {}",
                            c.pixels, c.luma, c.range)));
    ASSERT_TRUE(source.probe().ok());
    const Seen seen = read_all(source, true);
    ASSERT_EQ(seen.pixels.size(), 2u * 32 * 16);
    EXPECT_EQ(seen.types.front().color.range, ColorRange::kFull);
    EXPECT_NEAR(seen.pixels.front(), c.expected, 1);
  }
}

TEST(StreamSource, SaysAMatrixThatItDoesNotHave) {
  LogCatcher log;
  const std::string path = make_media("smpte240m.mp4",
                                      "-f lavfi -i testsrc2=s=64x48:r=4:d=1 -c:v libx264 -pix_fmt yuv420p "
                                      "-x264-params colormatrix=smpte240m");
  FakeSource source = open_video(path);
  ASSERT_TRUE(source.probe().ok());
  EXPECT_EQ(read_all(source).count(), 4u);
  EXPECT_THAT(log.text(), AllOf(HasSubstr("smpte240m"), HasSubstr("BT.601 is used")));
  const std::string said = log.text();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(StreamSource, PlanarFormatsStayAndOthersAreConvertedAndSaid) {
  const struct {
    const char* pixels;
    PixelFormat format;
    bool converted;
  } cases[] = {
      {"yuv422p", PixelFormat::kI422, false},    {"yuv444p", PixelFormat::kI444, false},
      {"gray", PixelFormat::kGray, false},       {"yuv420p10le", PixelFormat::kI420, true},
      {"yuv422p10le", PixelFormat::kI422, true}, {"yuv440p", PixelFormat::kI444, true},  // no chroma is lost
      {"yuv411p", PixelFormat::kI422, true}};
  for (const auto& c : cases) {
    SCOPED_TRACE(c.pixels);
    const std::string video =
        make_media(std::string(c.pixels) + ".mkv",
                   std::string("-f lavfi -i testsrc2=s=64x48:d=0.2 -c:v ffv1 -pix_fmt ") + c.pixels);
    LogCatcher log;
    FakeSource source = open_video(video);
    const Result<SourceInfo> info = source.probe();
    ASSERT_TRUE(info.ok()) << info.status().message();
    EXPECT_EQ(info->type.format, c.format);
    const Seen seen = read_all(source, true);
    EXPECT_EQ(seen.end.code(), Code::kEndOfStream) << seen.end.message();
    ASSERT_EQ(seen.count(), 5u);
    EXPECT_EQ(seen.types.front().format, c.format);
    EXPECT_EQ(log.text().find("converted to") != std::string::npos, c.converted) << log.text();
    const std::string plain = c.converted ? "yuv" + std::string(name_of(c.format)).substr(1) + "p" : c.pixels;
    const auto expected =
        ffmpeg_output(fmt::format("-i '{}' -sws_flags bilinear -f rawvideo -pix_fmt {}", video, plain));
    EXPECT_GT(psnr(seen.pixels, expected), c.converted ? 45 : 98);
  }
}

TEST(StreamSource, ASizeThatChangesIsAnnouncedAndEachFrameHasItsOwn) {
  const std::string a = make_media(
      "a.h264", "-f lavfi -i testsrc2=s=320x180:r=30:d=0.5 -c:v libx264 -threads 1 -pix_fmt yuv420p");
  const std::string b = make_media(
      "b.h264", "-f lavfi -i testsrc2=s=640x360:r=30:d=0.5 -c:v libx264 -threads 1 -pix_fmt yuv420p");
  std::vector<std::uint8_t> both = read_file(a);
  const std::vector<std::uint8_t> second = read_file(b);
  both.insert(both.end(), second.begin(), second.end());
  write_file(scratch("both.h264"), both);
  FakeSource source = open_video(scratch("both.h264"));
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  EXPECT_EQ(seen.end.code(), Code::kEndOfStream) << seen.end.message();
  ASSERT_EQ(seen.count(), 30u);
  ASSERT_EQ(source.changes.size(), 1u);
  EXPECT_EQ(source.changes[0].type.width, 640);
  EXPECT_GT(source.changes[0].buffer_bytes, 640u * 360u * 3 / 2);
  EXPECT_EQ(seen.types[14].width, 320);
  EXPECT_EQ(seen.types[15].width, 640);
  EXPECT_EQ(source.corrupted, 0);

  FakeSource narrow = open_video(scratch("both.h264"), {{"max_width", integer(400)}});
  ASSERT_TRUE(narrow.probe().ok());
  const Seen cut = read_all(narrow);
  EXPECT_EQ(cut.end.code(), Code::kFailed);
  EXPECT_THAT(cut.end.message(), AllOf(HasSubstr("640x360"), HasSubstr("400x2160")));
  EXPECT_EQ(cut.count(), 15u) << "all pictures before the one that is too large";
}

TEST(StreamSource, LoopsWithTimesGoingOn) {
  for (const char* name : {"small.mp4", "raw.h264", "one_key.ts"}) {
    SCOPED_TRACE(name);
    small_video();
    make_media("one_key.ts", "-i '" + small_video() + "' -c:v libx264 -bf 3 -g 250");
    make_media("raw.h264", "-i '" + small_video() + "' -c copy -bsf:v h264_mp4toannexb");
    FakeSource source = open_video(scratch(name), {{"loop", flag(true)}});
    const Result<SourceInfo> info = source.probe();
    ASSERT_TRUE(info.ok());
    EXPECT_EQ(info->frames, -1);
    TimeNs last = -1;
    for (int n = 0; n < 75; ++n) {
      const Result<Capture> capture = source.next();
      ASSERT_TRUE(capture.ok()) << n << ": " << capture.status().message();
      EXPECT_GT(capture->media_time, last) << n;
      last = capture->media_time;
    }
    EXPECT_NEAR(to_ms(last), 74 * 1000 / 30.0, 40);
    EXPECT_EQ(source.corrupted, 0);
  }
}

TEST(StreamSource, DamagedPicturesAreCountedAndTheRestGoesOn) {
  const std::string whole = make_media(
      "intra.mkv",
      "-f lavfi -i testsrc2=s=320x180:r=30:d=1 -c:v libx264 -threads 1 -g 5 -bf 0 -pix_fmt yuv420p");
  std::vector<std::uint8_t> bytes = read_file(whole);
  for (std::size_t i = bytes.size() / 2; i < bytes.size() / 2 + 3000; ++i)
    bytes[i] = static_cast<std::uint8_t>(i * 37);
  write_file(scratch("damaged.mkv"), bytes);
  LogCatcher log;
  FakeSource source = open_video(scratch("damaged.mkv"));
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  EXPECT_EQ(seen.end.code(), Code::kEndOfStream) << seen.end.message();
  EXPECT_GT(source.corrupted, 0);
  EXPECT_GT(seen.count(), 15u);
  EXPECT_LE(seen.count() + static_cast<std::size_t>(source.corrupted), 30u);
  EXPECT_THAT(log.text(), HasSubstr("counted as corrupt"));
}

// libavcodec makes up what is missing of a JPEG without a word.
TEST(StreamSource, PicturesOfAnMjpegStreamWithoutTheirEndAreCorrupt) {
  const std::string whole =
      make_media("whole.avi", "-f lavfi -i testsrc2=s=320x180:r=30:d=0.5 -c:v mjpeg -pix_fmt yuvj420p");
  std::vector<std::uint8_t> bytes = read_file(whole);
  int picture = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); ++i) {
    if (bytes[i] != 0xFF || bytes[i + 1] != 0xD9) continue;
    ++picture;
    if (picture != 6 && picture != 7) continue;
    bytes[i] = bytes[i + 1] = 0x55;
  }
  ASSERT_EQ(picture, 15);
  write_file(scratch("no_ends.avi"), bytes);
  FakeSource source = open_video(scratch("no_ends.avi"));
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  EXPECT_EQ(seen.end.code(), Code::kEndOfStream) << seen.end.message();
  EXPECT_EQ(source.corrupted, 2);
  EXPECT_EQ(seen.count(), 13u);
}

TEST(StreamSource, AFileThatIsCutOffEndsByError) {
  const std::string whole = make_media("fast.mp4", "-i '" + small_video() + "' -c copy -movflags +faststart");
  std::vector<std::uint8_t> bytes = read_file(whole);
  bytes.resize(bytes.size() / 2);
  write_file(scratch("cut.mp4"), bytes);
  FakeSource source = open_video(scratch("cut.mp4"));
  ASSERT_TRUE(source.probe().ok());
  const Seen seen = read_all(source);
  EXPECT_EQ(seen.end.code(), Code::kFailed);
  EXPECT_THAT(seen.end.message(),
              AllOf(HasSubstr("cut.mp4"), HasSubstr("of 30 pictures"), HasSubstr("cut off")));
  EXPECT_GT(seen.count(), 3u);
  EXPECT_LT(seen.count(), 30u);
}

// Containers that tell their size first; a recording that was never finished tells none, and ends where it
// ends.
TEST(StreamSource, OtherContainersThatAreCutOffEndByErrorWhereTheyTellTheirSize) {
  for (const std::string name : {"cut.mkv", "cut.avi", "cut.webm"}) {
    SCOPED_TRACE(name);
    const std::string codec = name == "cut.webm" ? "-c:v libvpx -b:v 200k" : "-c copy";
    std::vector<std::uint8_t> bytes =
        read_file(make_media("whole_" + name, "-i '" + small_video() + "' " + codec));
    const std::size_t whole = bytes.size();
    bytes.resize(whole / 2);
    write_file(scratch(name), bytes);
    FakeSource source = open_video(scratch(name));
    ASSERT_TRUE(source.probe().ok());
    const Seen seen = read_all(source);
    EXPECT_EQ(seen.end.code(), Code::kFailed);
    EXPECT_THAT(
        seen.end.message(),
        HasSubstr(fmt::format("{}' ends after {} of {} bytes: the file is cut off", name, whole / 2, whole)));
    EXPECT_GT(seen.count(), 3u);
    EXPECT_LT(seen.count(), 30u);
  }
  const std::string live = make_media("live.mkv", "-i '" + small_video() + "' -c copy -f matroska -live 1");
  std::vector<std::uint8_t> bytes = read_file(live);
  bytes.resize(bytes.size() / 2);
  write_file(live, bytes);
  FakeSource source = open_video(live);
  ASSERT_TRUE(source.probe().ok());
  EXPECT_EQ(read_all(source).end.code(), Code::kEndOfStream);
}

TEST(StreamSource, SaysWhatIsWrongWithAFile) {
  EXPECT_THAT(probe_error(scratch("nowhere.mp4")),
              AllOf(HasSubstr("nowhere.mp4"), HasSubstr("no such file")));
  EXPECT_THAT(probe_error(scratch_folder().string()),
              AllOf(HasSubstr("is a folder"), HasSubstr("image_source")));
  write_file(scratch("empty.mp4"), {});
  EXPECT_THAT(probe_error(scratch("empty.mp4")), HasSubstr("empty (0 bytes)"));
  write_file(scratch("words.mp4"), std::vector<std::uint8_t>(5000, 'x'));
  EXPECT_THAT(probe_error(scratch("words.mp4")), AllOf(HasSubstr("words.mp4"), HasSubstr("no video")));
  const std::string sound = make_media("sound.m4a", "-f lavfi -i sine=d=1 -c:a aac");
  EXPECT_THAT(probe_error(sound), AllOf(HasSubstr("sound.m4a"), HasSubstr("holds no video")));
  std::vector<std::uint8_t> bytes = read_file(small_video());
  bytes.resize(bytes.size() * 3 / 4);  // its index was at the end
  write_file(scratch("headless.mp4"), bytes);
  EXPECT_THAT(probe_error(scratch("headless.mp4")),
              AllOf(HasSubstr("moov atom not found"), HasSubstr("cut off")));
}

TEST(StreamSource, AFileWithoutPicturesIsAnError) {
  const std::string none = make_media("none.mkv", "-i '" + small_video() + "' -c copy -frames:v 0");
  EXPECT_THAT(probe_error(none), HasSubstr("none.mkv"));
}

TEST(StreamSource, TooLargePicturesAreRefusedAtTheProbe) {
  EXPECT_THAT(probe_error(small_video(), {{"max_width", integer(200)}}),
              AllOf(HasSubstr("320x180"), HasSubstr("200x2160"), HasSubstr("max_width")));
}

TEST(StreamSource, StopsWhenInterrupted) {
  FakeSource source = open_video(small_video());
  ASSERT_TRUE(source.probe().ok());
  ASSERT_TRUE(source.next().ok());
  source.node().interrupt();
  EXPECT_EQ(source.next().status().code(), Code::kCancelled);
}

// A named pipe, and a program that writes a file to it.
std::string make_pipe(const std::string& name) {
  const std::string path = scratch(name);
  EXPECT_EQ(mkfifo(path.c_str(), 0600), 0);
  return path;
}

TEST(StreamSource, ReadsAVideoFromAPipe) {
  const std::string stream = make_media("piped.mkv", "-i '" + small_video() + "' -c copy");
  const std::string pipe = make_pipe("pipe.mkv");
  std::future<void> writer = std::async(std::launch::async, [&] { write_file(pipe, read_file(stream)); });
  FakeSource source = open_video(pipe, {{"timeout_ms", integer(60'000)}});
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_FALSE(info->only_computes);
  const Seen seen = read_all(source, true);
  EXPECT_EQ(seen.end.code(), Code::kEndOfStream) << seen.end.message();
  writer.get();
  EXPECT_EQ(seen.count(), 30U);
  EXPECT_TRUE(seen.pixels == ffmpeg_output("-i '" + small_video() + "' -vsync passthrough -f rawvideo"));
}

TEST(StreamSource, APipeThatNobodyWritesToIsGivenUpAfterTheTimeout) {
  EXPECT_THAT(
      probe_error(make_pipe("silent.mkv"), {{"timeout_ms", integer(50)}}),
      AllOf(HasSubstr("silent.mkv"), HasSubstr("gave nothing within 50 ms"), HasSubstr("timeout_ms")));
}

TEST(StreamSource, WaitingForAPipeStopsWhenInterrupted) {
  FakeSource source = open_video(make_pipe("stopped.mkv"), {{"timeout_ms", integer(3'600'000)}});
  std::future<Status> end = std::async(std::launch::async, [&] { return source.probe().status(); });
  while (end.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) source.node().interrupt();
  EXPECT_EQ(end.get().code(), Code::kCancelled);
}

TEST(StreamSource, ADeviceThatIsNoVideoIsRefused) {
  EXPECT_THAT(probe_error("/dev/zero"), HasSubstr("/dev/zero"));
  EXPECT_THAT(probe_error("/dev/null"), HasSubstr("/dev/null"));
}

TEST(StreamSource, SaysThatRequestsMeanNothingToAFile) {
  LogCatcher log;
  FakeSource source = open_video(small_video(), {{"fps", number(5)}});
  ASSERT_TRUE(source.probe().ok());
  EXPECT_THAT(log.text(), HasSubstr("option 'fps' asks a camera"));
}

}  // namespace
}  // namespace sluice
