#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::DoubleNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;
using namespace sluice::testing;
namespace fs = std::filesystem;

class Sink {
 public:
  Sink(const std::string& path, OptionMap more = {}) {
    more["path"] = text(path);
    options_ = options_of(video_sink_declaration(), std::move(more));
    node_ = std::move(video_sink_declaration().create()).value();
  }
  Status open(std::vector<double> rates = {}) {
    OpenSetup setup(options_);
    OpenContext context = setup.context();
    context.source_rates = std::move(rates);
    return node_->open(context);
  }
  Status write(Packet packet, int number, double fps = 30) {
    FakeContext context(options_);
    context.info.number = static_cast<std::uint64_t>(number);
    context.info.media_time = static_cast<TimeNs>(std::llround(number * 1e9 / fps));
    context.set_input(0, std::move(packet));
    return node_->process(context);
  }
  Status close() { return node_->close(); }

 private:
  OptionsPtr options_;
  std::unique_ptr<Node> node_;
};

// A smooth picture that differs from frame to frame.
Packet gradient(const ImageType& type, int number) {
  Packet packet = make_picture(type);
  Image& image = *packet.edit<Image>();
  for (int p = 0; p < plane_count(type.format); ++p) {
    const PlaneSize size = plane_size(type, p);
    for (int y = 0; y < size.height; ++y) {
      std::uint8_t* row =
          image.planes[static_cast<std::size_t>(p)] + y * image.strides[static_cast<std::size_t>(p)];
      for (int x = 0; x < size.width * size.bytes_per_sample; ++x) {
        row[x] =
            static_cast<std::uint8_t>(p == 0 ? 40 + (x / 2 + y + 3 * number) % 160 : 100 + (x + y) / 8 % 50);
      }
    }
  }
  return packet;
}

constexpr ColorSpace kTv{ColorMatrix::kBt601, ColorRange::kLimited};

// Average PSNR of the written file against the frames it was made from.
double round_trip(const std::string& path, const ImageType& type, OptionMap more = {}) {
  Sink sink(path, std::move(more));
  EXPECT_TRUE(sink.open().ok());
  std::vector<std::uint8_t> expected;
  for (int n = 0; n < 20; ++n) {
    const Packet packet = gradient(type, n);
    append_packed(*packet.get<Image>(), expected);
    const Status status = sink.write(packet, n);
    EXPECT_TRUE(status.ok()) << status.message();
  }
  const Status closed = sink.close();
  EXPECT_TRUE(closed.ok()) << closed.message();
  const char* format = type.format == PixelFormat::kNv12 ? "nv12" : "yuv420p";
  return psnr(ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo -pix_fmt " + format), expected);
}

std::string probe(const std::string& path, const std::string& entries) {
  const std::string out = scratch("probe.txt");
  const std::string command =
      "ffprobe -v error -select_streams v -show_entries " + entries + " -of csv=p=0 '" + path + "' > " + out;
  EXPECT_EQ(std::system(command.c_str()), 0);
  const auto bytes = read_file(out);
  return {bytes.begin(), bytes.end()};
}

// Time stamps of a video's pictures, in order of presentation; an .avi knows but one kind.
std::vector<double> picture_times(const std::string& path) {
  const bool avi = path.ends_with(".avi");
  std::istringstream lines(probe(path, avi ? "packet=dts_time" : "packet=pts_time"));
  std::vector<double> out;
  for (double time = 0; lines >> time;) out.push_back(time);
  std::sort(out.begin(), out.end());
  return out;
}

TEST(VideoSink, WritesWhatItGets) {
  EXPECT_GT(round_trip(scratch("i420.mp4"), {PixelFormat::kI420, 320, 180, kTv, 0}), 38);
  EXPECT_GT(round_trip(scratch("nv12.mkv"), {PixelFormat::kNv12, 320, 180, kTv, 0}), 38);
  EXPECT_GT(round_trip(scratch("i420.avi"), {PixelFormat::kI420, 320, 180, kTv, 0}), 38);
}

TEST(VideoSink, QualityCounts) {
  const ImageType type{PixelFormat::kI420, 320, 180, kTv, 0};
  const double low = round_trip(scratch("low.mp4"), type, {{"quality", integer(20)}});
  const double high = round_trip(scratch("high.mp4"), type, {{"quality", integer(95)}});
  EXPECT_GT(high, low + 3);
  EXPECT_LT(fs::file_size(scratch("low.mp4")), fs::file_size(scratch("high.mp4")));
}

TEST(VideoSink, OtherFormatsAreConverted) {
  for (const PixelFormat format :
       {PixelFormat::kI422, PixelFormat::kI444, PixelFormat::kBgr, PixelFormat::kRgb, PixelFormat::kGray}) {
    const std::string path = scratch(std::string(name_of(format)) + ".mp4");
    Sink sink(path);
    ASSERT_TRUE(sink.open().ok());
    const ImageType type{format, 64, 48, {}, 0};
    for (int n = 0; n < 3; ++n) {
      const Status status = sink.write(make_picture(type, {200, 200, 200}), n);
      ASSERT_TRUE(status.ok()) << status.message();
    }
    ASSERT_TRUE(sink.close().ok());
    const auto pixels = ffmpeg_output("-i '" + path + "' -f rawvideo -pix_fmt yuv420p");
    ASSERT_EQ(pixels.size(), 3u * 64 * 48 * 3 / 2);
    const bool full = !is_yuv(format);
    EXPECT_NEAR(pixels[0], full ? 16 + 200 * 219 / 255 : 200, 3) << name_of(format);
  }
}

TEST(VideoSink, FramesKeepTheirMediaTimes) {
  const std::string path = scratch("times.mp4");
  Sink sink(path);
  ASSERT_TRUE(sink.open({30.0}).ok());
  const ImageType type{PixelFormat::kI420, 64, 48, kTv, 0};
  for (const int n : {10, 11, 15, 30}) ASSERT_TRUE(sink.write(gradient(type, n), n).ok());
  ASSERT_TRUE(sink.close().ok());
  EXPECT_EQ(picture_times(path), (std::vector<double>{0, 0.033333, 0.166667, 0.666667}));
}

// A camera that is away for an hour: its media time goes on.
TEST(VideoSink, AnHourWithoutPicturesIsAnHourInTheFile) {
  for (const std::string container : {"mp4", "mkv", "avi"}) {
    SCOPED_TRACE(container);
    const std::string path = scratch("hour." + container);
    Sink sink(path);
    ASSERT_TRUE(sink.open({12.5}).ok());
    std::vector<double> expected;
    for (int n = 0; n < 25; ++n) {
      const int late = n < 10 ? n : n + 3600 * 25 / 2;
      const Status status = sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, n), late, 12.5);
      ASSERT_TRUE(status.ok()) << status.message();
      expected.push_back(late / 12.5);
    }
    ASSERT_TRUE(sink.close().ok());
    EXPECT_THAT(picture_times(path), Pointwise(DoubleNear(1e-3), expected));
    const auto decoded = ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo");
    EXPECT_EQ(decoded.size(), 25u * 64 * 48 * 3 / 2);
  }
}

TEST(VideoSink, AGapLongerThanTheContainersIsCutAndSaid) {
  LogCatcher log;
  for (const std::string container : {"mp4", "avi"}) {
    SCOPED_TRACE(container);
    const std::string path = scratch("days." + container);
    Sink sink(path);
    ASSERT_TRUE(sink.open({10.0}).ok());
    for (const int second : {0, 1, 300'000, 300'001}) {
      const Status status = sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, 1), second, 1);
      ASSERT_TRUE(status.ok()) << status.message();
    }
    ASSERT_TRUE(sink.close().ok());
    const double gap = container == "avi" ? 6000 : 2e9 / 12000;
    const std::vector<double> times = picture_times(path);
    ASSERT_EQ(times.size(), 4u);
    EXPECT_NEAR(times[2] - times[1], gap, 1e-3);
    EXPECT_NEAR(times[3] - times[2], 1, 1e-3);
  }
  EXPECT_THAT(log.text(), AllOf(HasSubstr("no picture for 299999 s"), HasSubstr("gaps of 166667 s at most"),
                                HasSubstr("133332 s earlier"), HasSubstr("gaps of 6000 s at most"),
                                HasSubstr("293999 s earlier")));
}

TEST(VideoSink, ASlowRateKeepsEveryPicture) {
  const std::string path = scratch("slow.mp4");
  Sink sink(path, {{"fps", number(0.001)}});
  ASSERT_TRUE(sink.open({30.0}).ok());
  for (int n = 0; n < 10; ++n)
    ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, n), n).ok());
  ASSERT_TRUE(sink.close().ok());
  const auto decoded = ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo");
  EXPECT_EQ(decoded.size(), 10u * 64 * 48 * 3 / 2);
}

TEST(VideoSink, ARateThatIsWrittenIsConstant) {
  const std::string path = scratch("rate.mp4");
  Sink sink(path, {{"fps", integer(10)}});
  ASSERT_TRUE(sink.open({30.0}).ok());
  for (const int n : {0, 1, 7})
    ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, n), n).ok());
  ASSERT_TRUE(sink.close().ok());
  EXPECT_EQ(picture_times(path), (std::vector<double>{0, 0.1, 0.2}));
}

TEST(VideoSink, AnAviGetsTheSourcesRate) {
  for (const double rate : {15.0, 0.0}) {
    LogCatcher log;
    const std::string path = scratch("rate" + std::to_string(static_cast<int>(rate)) + ".avi");
    Sink sink(path);
    ASSERT_TRUE(sink.open({rate}).ok());
    for (int n = 0; n < 5; ++n)
      ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, n), n, 15).ok());
    ASSERT_TRUE(sink.close().ok());
    EXPECT_EQ(probe(path, "stream=time_base"), rate > 0 ? "1/15\n" : "1/30\n");
    EXPECT_EQ(log.text().find("rate is unknown") != std::string::npos, rate == 0);
  }
}

TEST(VideoSink, ASizeThatChangesIsScaledAndSaid) {
  LogCatcher log;
  const std::string path = scratch("sizes.mp4");
  Sink sink(path);
  ASSERT_TRUE(sink.open().ok());
  ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 128, 96, kTv, 0}, 0), 0).ok());
  ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 256, 192, kTv, 0}, 1), 1).ok());
  ASSERT_TRUE(sink.close().ok());
  EXPECT_EQ(ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo").size(), 2u * 128 * 96 * 3 / 2);
  EXPECT_THAT(log.text(), AllOf(HasSubstr("changed to 256x192"), HasSubstr("128x96")));
}

// The first picture makes the file full range; those after it differ from it in nothing but the range.
TEST(VideoSink, AnotherRangeIsBroughtToTheFiles) {
  for (const ColorMatrix matrix : {ColorMatrix::kBt601, ColorMatrix::kBt709}) {
    for (const PixelFormat format :
         {PixelFormat::kI420, PixelFormat::kNv12, PixelFormat::kI422, PixelFormat::kI444}) {
      SCOPED_TRACE(std::string(name_of(format)) + (matrix == ColorMatrix::kBt601 ? " 601" : " 709"));
      const std::string path = scratch("range.mkv");
      Sink sink(path, {{"quality", integer(100)}, {"overwrite", flag(true)}});
      ASSERT_TRUE(sink.open().ok());
      ImageType type{format, 64, 48, {matrix, ColorRange::kFull}, 0};
      ASSERT_TRUE(sink.write(make_picture(type, {255, 128, 128}), 0).ok());
      type.color.range = ColorRange::kLimited;
      ASSERT_TRUE(sink.write(make_picture(type, {16, 128, 128}), 1).ok());
      ASSERT_TRUE(sink.write(make_picture(type, {235, 128, 128}), 2).ok());
      ASSERT_TRUE(sink.close().ok());
      const auto pixels = ffmpeg_output("-i '" + path + "' -vsync passthrough -f rawvideo -pix_fmt rgb24");
      constexpr std::size_t kPicture = 64 * 48 * 3;
      ASSERT_EQ(pixels.size(), 3 * kPicture);
      EXPECT_NEAR(pixels[0], 255, 2);
      EXPECT_NEAR(pixels[kPicture], 0, 2);
      EXPECT_NEAR(pixels[2 * kPicture], 255, 2);
    }
  }
}

TEST(VideoSink, ASidesLastPixelIsScaledUpAndSaidOnce) {
  LogCatcher log;
  const std::string path = scratch("one.mp4");
  Sink sink(path);
  ASSERT_TRUE(sink.open().ok());
  for (const int n : {0, 1}) ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 1, 7, kTv, 0}, n), n).ok());
  ASSERT_TRUE(sink.close().ok());
  EXPECT_EQ(probe(path, "stream=width,height"), "2,6\n");
  EXPECT_THAT(log.text(), AllOf(HasSubstr("the picture has 1x7: it is scaled up"), HasSubstr("has 2x6")));
  const std::string said = log.text();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(VideoSink, OddSizesLoseTheirLastRowAndColumn) {
  LogCatcher log;
  const std::string path = scratch("odd.mp4");
  Sink sink(path);
  ASSERT_TRUE(sink.open().ok());
  ASSERT_TRUE(sink.write(gradient({PixelFormat::kI420, 65, 49, kTv, 0}, 0), 0).ok());
  ASSERT_TRUE(sink.close().ok());
  EXPECT_EQ(probe(path, "stream=width,height"), "64,48\n");
  EXPECT_THAT(log.text(), AllOf(HasSubstr("65x49"), HasSubstr("left out"), HasSubstr("64x48")));
}

TEST(VideoSink, TurnsPicturesUpright) {
  for (const PixelFormat format :
       {PixelFormat::kI420, PixelFormat::kNv12, PixelFormat::kI422, PixelFormat::kBgr}) {
    SCOPED_TRACE(name_of(format));
    const std::string path = scratch(std::string("upright_") + std::string(name_of(format)) + ".mp4");
    Sink sink(path);
    ASSERT_TRUE(sink.open().ok());
    const ImageType type{format, 96, 64, kTv, 90};
    Packet packet = make_picture(type, {60, 128, 128});
    Image& image = *packet.edit<Image>();
    // The stored picture's left half is bright; turned clockwise that is the upper half.
    for (int y = 0; y < 64; ++y) {
      std::memset(image.planes[0] + y * image.strides[0], 200,
                  48 * static_cast<std::size_t>(plane_size(type, 0).bytes_per_sample));
    }
    ASSERT_TRUE(sink.write(packet, 0).ok());
    ASSERT_TRUE(sink.close().ok());
    const auto pixels = ffmpeg_output("-i '" + path + "' -f rawvideo -pix_fmt gray");
    ASSERT_EQ(pixels.size(), 64u * 96);
    EXPECT_GT(pixels[10 * 64 + 32], 150);
    EXPECT_LT(pixels[86 * 64 + 32], 100);
  }
}

TEST(VideoSink, MakesNoFileBeforeTheFirstFrame) {
  Sink sink(scratch("later.mp4"));
  ASSERT_TRUE(sink.open().ok());
  EXPECT_FALSE(fs::exists(scratch("later.mp4")));
  EXPECT_TRUE(sink.close().ok());
  EXPECT_FALSE(fs::exists(scratch("later.mp4")));
}

TEST(VideoSink, LeavesAnExistingFileAlone) {
  write_file(scratch("old.mp4"), {1, 2, 3});
  const Status status = Sink(scratch("old.mp4")).open();
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("exists already"), HasSubstr("overwrite: true")));
  EXPECT_EQ(read_file(scratch("old.mp4")).size(), 3u);
  Sink over(scratch("old.mp4"), {{"overwrite", flag(true)}});
  ASSERT_TRUE(over.open().ok());
  EXPECT_EQ(read_file(scratch("old.mp4")).size(), 3u) << "opening must not truncate";
  ASSERT_TRUE(over.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, 0), 0).ok());
  ASSERT_TRUE(over.close().ok());
  EXPECT_GT(read_file(scratch("old.mp4")).size(), 300u);
}

TEST(VideoSink, AFileThatAppearsMeanwhileIsLeftAlone) {
  Sink sink(scratch("race.mp4"));
  ASSERT_TRUE(sink.open().ok());
  write_file(scratch("race.mp4"), {7});
  const Status status = sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, 0), 0);
  EXPECT_THAT(status.message(), HasSubstr("exists already"));
  EXPECT_EQ(read_file(scratch("race.mp4")).size(), 1u);
}

TEST(VideoSink, RefusesAFolderAndAMissingOne) {
  fs::create_directories(scratch("folder.mp4"));
  EXPECT_THAT(Sink(scratch("folder.mp4")).open().message(), HasSubstr("is a folder"));
  EXPECT_THAT(Sink(scratch("nowhere/x.mp4")).open().message(), HasSubstr("there is no folder"));
}

TEST(VideoSink, AFullDiskIsAFailureInTheSystemsWords) {
  fs::create_symlink("/dev/full", scratch("full.mkv"));
  Sink sink(scratch("full.mkv"), {{"overwrite", flag(true)}});
  ASSERT_TRUE(sink.open().ok());
  Status status;
  for (int n = 0; n < 200 && status.ok(); ++n)
    status = sink.write(gradient({PixelFormat::kI420, 320, 180, kTv, 0}, n), n);
  const Status closed = sink.close();
  if (status.ok()) status = closed;
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), AllOf(HasSubstr("full.mkv"), HasSubstr("No space left on device")));
}

TEST(VideoSink, AFullDiskIsNoticedWhenFinishing) {
  fs::create_symlink("/dev/full", scratch("full.mp4"));
  Sink sink(scratch("full.mp4"), {{"overwrite", flag(true)}});
  ASSERT_TRUE(sink.open().ok());
  Status status = sink.write(gradient({PixelFormat::kI420, 64, 48, kTv, 0}, 0), 0);
  if (status.ok()) status = sink.close();
  EXPECT_THAT(status.message(), HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace sluice
