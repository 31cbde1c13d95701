#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "nodes/video_nodes.h"
#include "tests/nodes/fake_source.h"
#include "tests/nodes/video/media.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using namespace sluice::testing;
namespace fs = std::filesystem;

class Sink {
 public:
  Sink(const std::string& path, OptionMap more = {}) {
    more["path"] = text(path);
    options_ = options_of(image_sink_declaration(), std::move(more));
    node_ = std::move(image_sink_declaration().create()).value();
  }
  Status open() {
    OpenSetup setup(options_);
    return node_->open(setup.context());
  }
  Status write(Packet packet, int number) {
    FakeContext context(options_);
    context.info.number = static_cast<std::uint64_t>(number);
    context.set_input(0, std::move(packet));
    return node_->process(context);
  }

 private:
  OptionsPtr options_;
  std::unique_ptr<Node> node_;
};

TEST(PictureSink, WritesOneFilePerFrame) {
  Sink sink(scratch("shots/"));
  ASSERT_TRUE(sink.open().ok());
  EXPECT_FALSE(fs::exists(scratch("shots"))) << "nothing is made before the first frame";
  for (int n = 0; n < 3; ++n) {
    const Status status =
        sink.write(make_picture({PixelFormat::kI420, 64 + 16 * n, 48, {}, 0}, {100, 128, 128}), n);
    ASSERT_TRUE(status.ok()) << status.message();
  }
  for (int n = 0; n < 3; ++n) {
    const std::string file = scratch("shots/camera_00000" + std::to_string(n) + ".jpg");
    EXPECT_EQ(ffmpeg_output("-i '" + file + "' -f rawvideo -pix_fmt gray").size(),
              static_cast<std::size_t>((64 + 16 * n) * 48));
  }
}

TEST(PictureSink, ColoursAreKept) {
  const struct {
    const char* name;
    ImageType type;
    std::array<std::uint8_t, 3> fill;
    std::array<int, 3> rgb;
  } cases[] = {
      {"limited_{frame}.jpg",
       {PixelFormat::kI420, 64, 48, {ColorMatrix::kBt709, ColorRange::kLimited}, 0},
       {63, 102, 240},
       {255, 0, 0}},
      {"full_{frame}.jpg",
       {PixelFormat::kI444, 64, 48, {ColorMatrix::kBt601, ColorRange::kFull}, 0},
       {76, 85, 255},
       {254, 0, 0}},
      {"bgr_{frame}.png", {PixelFormat::kBgr, 64, 48, {}, 0}, {90, 90, 90}, {90, 90, 90}},
      {"nv12_{frame}.png",
       {PixelFormat::kNv12, 64, 48, {ColorMatrix::kBt601, ColorRange::kLimited}, 0},
       {126, 128, 0},
       {128, 128, 128}},
      {"gray_{frame}.png",
       {PixelFormat::kGray, 64, 48, {ColorMatrix::kBt601, ColorRange::kFull}, 0},
       {77, 0, 0},
       {77, 77, 77}},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    Sink sink(scratch(c.name), {{"quality", integer(100)}});
    ASSERT_TRUE(sink.open().ok());
    const Status status = sink.write(
        make_picture(c.type,
                     {c.fill[0], c.fill[1], c.type.format == PixelFormat::kNv12 ? c.fill[1] : c.fill[2]}),
        7);
    ASSERT_TRUE(status.ok()) << status.message();
    std::string file = scratch(c.name);
    file.replace(file.find("{frame}"), 7, "000007");
    const auto pixels = ffmpeg_output("-i '" + file + "' -f rawvideo -pix_fmt rgb24");
    ASSERT_EQ(pixels.size(), 64u * 48 * 3);
    const std::size_t middle = (24 * 64 + 32) * 3;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(pixels[middle + i], c.rgb[i], 6) << i;
  }
}

// The format, size and, for BT.601, the matrix of the picture are those of the file: only the range differs.
TEST(PictureSink, LimitedRangeIsExpanded) {
  for (const ColorMatrix matrix : {ColorMatrix::kBt601, ColorMatrix::kBt709}) {
    for (const PixelFormat format :
         {PixelFormat::kI420, PixelFormat::kNv12, PixelFormat::kI422, PixelFormat::kI444}) {
      for (const char* name : {"range_{frame}.jpg", "range_{frame}.png"}) {
        SCOPED_TRACE(std::string(name_of(format)) + (matrix == ColorMatrix::kBt601 ? " 601 " : " 709 ") +
                     name);
        Sink sink(scratch(name), {{"quality", integer(100)}, {"overwrite", flag(true)}});
        ASSERT_TRUE(sink.open().ok());
        const ImageType type{format, 64, 48, {matrix, ColorRange::kLimited}, 0};
        ASSERT_TRUE(sink.write(make_picture(type, {16, 128, 128}), 0).ok());
        ASSERT_TRUE(sink.write(make_picture(type, {235, 128, 128}), 1).ok());
        for (const int frame : {0, 1}) {
          std::string file = scratch(name);
          file.replace(file.find("{frame}"), 7, frame == 0 ? "000000" : "000001");
          const auto pixels = ffmpeg_output("-i '" + file + "' -f rawvideo -pix_fmt rgb24");
          ASSERT_EQ(pixels.size(), 64u * 48 * 3);
          for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(pixels[i], frame * 255, 2) << i;
        }
      }
    }
  }
}

TEST(PictureSink, TurnsPicturesUpright) {
  Sink sink(scratch("up_{frame}.png"));
  ASSERT_TRUE(sink.open().ok());
  ASSERT_TRUE(sink.write(make_picture({PixelFormat::kI420, 64, 48, {}, 270}, {100, 128, 128}), 0).ok());
  FakeSource source(image_source_declaration(), {{"path", text(scratch("up_000000.png"))}});
  const Result<SourceInfo> info = source.probe();
  EXPECT_EQ(info->type.width, 48);
  EXPECT_EQ(info->type.height, 64);
}

TEST(PictureSink, LeavesExistingFilesAlone) {
  write_file(scratch("mine_000000.png"), {1});
  EXPECT_THAT(Sink(scratch("mine_{frame}.png")).open().message(),
              AllOf(HasSubstr("mine_000000.png"), HasSubstr("overwrite: true")));
  Sink sink(scratch("later_{frame}.png"));
  ASSERT_TRUE(sink.open().ok());
  write_file(scratch("later_000005.png"), {1});
  EXPECT_THAT(sink.write(make_picture({PixelFormat::kGray, 16, 16, {}, 0}), 5).message(),
              HasSubstr("exists already"));
  EXPECT_EQ(read_file(scratch("later_000005.png")).size(), 1u);
}

TEST(PictureSink, AnExistingPictureOfAnyFrameIsFoundAtTheProbe) {
  const struct {
    const char* path;
    const char* existing;
    bool refused;
  } cases[] = {
      {"p1_{frame}.png", "p1_000005.png", true},
      {"p2_{frame}.png", "p2_1234567.png", true},
      {"p3_{frame}.png", "p3_000005_old.png", false},
      {"p4_{frame}.png", "p4_0000005.png", false},
      {"p5_{frame}.png", "p5_5.png", false},
      {"p6_{frame}7.png", "p6_0000057.png", true},
      {"p7_{source}_{frame}.jpg", "p7_camera_000005.jpg", true},
      {"p8_{source}_{frame}.jpg", "p8_door_000005.jpg", false},
      {"p9_{frame}_{frame}.jpg", "p9_000001_000002.jpg", false},
      {"p10[a]_{frame}.jpg", "p10[a]_000003.jpg", true},
      {"p11_{frame}.jpg", "p11_99999999999999999999.jpg", false},
      {"p12_{source}.jpg", "p12_camera.jpg", true},
      {"p12a.jpg", "p12a.jpg", true},
      {"p14//{frame}.jpg", "p14/000005.jpg", true},
      {"p13/{source}/{frame}.jpg", "p13/camera/000005.jpg", true},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.existing);
    fs::create_directories(fs::path(scratch(c.existing)).parent_path());
    write_file(scratch(c.existing), {1});
    const Status status = Sink(scratch(c.path)).open();
    EXPECT_EQ(status.code(), c.refused ? Code::kFailed : Code::kOk);
    if (c.refused) {
      EXPECT_THAT(status.message(), HasSubstr(scratch(c.existing) + "' exists already"));
    }
    EXPECT_TRUE(Sink(scratch(c.path), {{"overwrite", flag(true)}}).open().ok());
  }
}

TEST(PictureSink, AFullDiskIsAFailure) {
  fs::create_symlink("/dev/full", scratch("full.png"));
  Sink sink(scratch("full.png"), {{"overwrite", flag(true)}});
  ASSERT_TRUE(sink.open().ok());
  const Status status = sink.write(make_picture({PixelFormat::kGray, 16, 16, {}, 0}), 0);
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_THAT(status.message(), HasSubstr("No space left on device"));
}

}  // namespace
}  // namespace sluice
