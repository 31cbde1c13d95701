#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

FakeSource open_pictures(const std::string& path, OptionMap more = {}) {
  more["path"] = text(path);
  return FakeSource(image_source_declaration(), std::move(more));
}

// A folder with b.jpg (64x48), a.png (96x64), c.BMP (32x32), notes.txt, and sub/d.jpg.
std::string album() {
  const fs::path folder = scratch_folder() / "album";
  if (!fs::exists(folder)) {
    fs::create_directories(folder / "sub");
    make_media("album/b.jpg", "-f lavfi -i testsrc2=s=64x48:d=1 -frames:v 1 -pix_fmt yuvj420p");
    make_media("album/a.png", "-f lavfi -i testsrc2=s=96x64:d=1 -frames:v 1");
    make_media("album/c.BMP", "-f lavfi -i testsrc2=s=32x32:d=1 -frames:v 1");
    make_media("album/sub/d.jpg", "-f lavfi -i testsrc2=s=16x16:d=1 -frames:v 1 -pix_fmt yuvj444p");
    write_file((folder / "notes.txt").string(), {'h', 'i'});
  }
  return folder.string();
}

std::vector<int> widths(FakeSource& source) {
  std::vector<int> out;
  const Status end = source.run([&](const Capture& c) { out.push_back(c.packet.get<Image>()->type.width); });
  EXPECT_EQ(end.code(), Code::kEndOfStream) << end.message();
  return out;
}

TEST(PictureSource, ReadsAFolderSortedByName) {
  FakeSource source = open_pictures(album());
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(info->frames, 3);
  EXPECT_GE(info->buffer_bytes, 96u * 64 * 3);
  EXPECT_EQ(widths(source), (std::vector<int>{96, 64, 32}));
  EXPECT_TRUE(source.changes.empty()) << "the pool was made for the largest";
}

TEST(PictureSource, RecursiveRepeatAndGlob) {
  FakeSource deep = open_pictures(album(), {{"recursive", flag(true)}});
  ASSERT_TRUE(deep.probe().ok());
  EXPECT_EQ(widths(deep), (std::vector<int>{96, 64, 32, 16}));
  FakeSource twice = open_pictures(album() + "/*.[jp]*g", {{"repeat", integer(2)}});
  EXPECT_EQ(twice.probe()->frames, 4);
  EXPECT_EQ(widths(twice), (std::vector<int>{96, 64, 96, 64}));
}

TEST(PictureSource, AJpegStaysPlanarInFullRange) {
  FakeSource source = open_pictures(album() + "/b.jpg");
  ASSERT_TRUE(source.probe().ok());
  const Result<Capture> capture = source.next();
  ASSERT_TRUE(capture.ok());
  const Image& image = *capture->packet.get<Image>();
  EXPECT_EQ(image.type.format, PixelFormat::kI420);
  EXPECT_EQ(image.type.color, (ColorSpace{ColorMatrix::kBt601, ColorRange::kFull}));
  EXPECT_EQ(packed(image), ffmpeg_output("-i '" + album() + "/b.jpg' -f rawvideo"));
}

TEST(PictureSource, APngIsRgb) {
  FakeSource source = open_pictures(album() + "/a.png");
  ASSERT_TRUE(source.probe().ok());
  const Result<Capture> capture = source.next();
  ASSERT_TRUE(capture.ok());
  EXPECT_EQ(capture->packet.get<Image>()->type.format, PixelFormat::kRgb);
  EXPECT_EQ(packed(*capture->packet.get<Image>()),
            ffmpeg_output("-i '" + album() + "/a.png' -f rawvideo -pix_fmt rgb24"));
}

TEST(PictureSource, AlphaAndPalettesBecomeRgb) {
  for (const char* pixels : {"rgba", "pal8"}) {
    const std::string png =
        make_media(std::string(pixels) + ".png",
                   std::string("-f lavfi -i testsrc2=s=64x64:d=1 -frames:v 1 -pix_fmt ") + pixels);
    FakeSource source = open_pictures(png);
    ASSERT_TRUE(source.probe().ok()) << pixels;
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok()) << capture.status().message();
    EXPECT_EQ(capture->packet.get<Image>()->type.format, PixelFormat::kRgb);
    const auto expected = ffmpeg_output("-i '" + png + "' -f rawvideo -pix_fmt rgb24");
    EXPECT_GT(psnr(packed(*capture->packet.get<Image>()), expected), 45) << pixels;
  }
}

TEST(PictureSource, ATiffMayHaveTagsThatNobodyReads) {
  for (const char* pixels : {"rgb24", "rgb48le", "gray"}) {
    const std::string tiff =
        make_media(std::string(pixels) + ".tiff",
                   std::string("-f lavfi -i testsrc2=s=64x64:d=1 -frames:v 1 -pix_fmt ") + pixels);
    FakeSource source = open_pictures(tiff);
    const Result<SourceInfo> info = source.probe();
    ASSERT_TRUE(info.ok()) << pixels << ": " << info.status().message();
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok()) << capture.status().message();
    const auto expected = ffmpeg_output("-i '" + tiff + "' -f rawvideo -pix_fmt " +
                                        (pixels == std::string("gray") ? "gray" : "rgb24"));
    EXPECT_GT(psnr(packed(*capture->packet.get<Image>()), expected), 45) << pixels;
  }
}

// b.jpg with an APP1 segment right behind its start that says this orientation.
FakeSource open_oriented(std::uint8_t orientation) {
  std::vector<std::uint8_t> bytes = read_file(album() + "/b.jpg");
  const std::vector<std::uint8_t> exif = {0xFF, 0xE1, 0, 34, 'E', 'x',         'i', 'f', 0, 0,    'M', 'M',
                                          0,    42,   0, 0,  0,   8,           0,   1,   1, 0x12, 0,   3,
                                          0,    0,    0, 1,  0,   orientation, 0,   0,   0, 0,    0,   0};
  bytes.insert(bytes.begin() + 2, exif.begin(), exif.end());
  write_file(scratch("turned.jpg"), bytes);
  return open_pictures(scratch("turned.jpg"));
}

TEST(PictureSource, ExifOrientationBecomesRotation) {
  FakeSource source = open_oriented(6);  // turn 90 degrees clockwise
  ASSERT_TRUE(source.probe().ok());
  const Result<Capture> capture = source.next();
  ASSERT_TRUE(capture.ok());
  EXPECT_EQ(capture->packet.get<Image>()->type.rotation, 90);
  EXPECT_EQ(capture->packet.get<Image>()->type.upright_width(), 48);
}

// 2: left and right swapped; 4: top and bottom; 5: rows and columns; 7: the same along the other diagonal.
TEST(PictureSource, AMirroredPictureIsMirroredBeforeItIsTurned) {
  const auto mirrored = ffmpeg_output("-i '" + album() + "/b.jpg' -vf hflip -f rawvideo");
  for (const auto& [orientation, rotation] :
       {std::pair{2, 0}, std::pair{4, 180}, std::pair{5, 270}, std::pair{7, 90}}) {
    FakeSource source = open_oriented(static_cast<std::uint8_t>(orientation));
    ASSERT_TRUE(source.probe().ok());
    const Result<Capture> capture = source.next();
    ASSERT_TRUE(capture.ok());
    EXPECT_EQ(capture->packet.get<Image>()->type.rotation, rotation) << orientation;
    EXPECT_EQ(packed(*capture->packet.get<Image>()), mirrored) << orientation;
  }
}

TEST(PictureSource, TruncatedPicturesAreCorruptAtEveryLength) {
  for (const char* name : {"b.jpg", "a.png", "c.BMP"}) {
    const std::vector<std::uint8_t> whole = read_file(album() + "/" + name);
    const fs::path folder = scratch_folder() / (std::string("cut_") + name);
    fs::create_directories(folder);
    write_file((folder / "0.png").string(),
               read_file(album() + "/a.png"));  // one that is whole, for the probe
    constexpr int kSteps = 40;
    for (int i = 0; i < kSteps; ++i) {
      std::vector<std::uint8_t> part = whole;
      part.resize(whole.size() * static_cast<std::size_t>(i) / kSteps);
      write_file((folder / ("1_" + std::to_string(i) + ".jpg")).string(), part);
    }
    FakeSource source = open_pictures(folder.string());
    ASSERT_TRUE(source.probe().ok());
    EXPECT_EQ(widths(source).size(), 1u) << name;
    EXPECT_EQ(source.corrupted, kSteps) << name;
  }
}

TEST(PictureSource, ABrokenFileIsSaidOnceHoweverOftenItComes) {
  LogCatcher log;
  fs::create_directories(scratch("broken"));
  make_media("broken/a.png", "-f lavfi -i color=red:s=16x16 -frames:v 1");
  write_file(scratch("broken/b.png"), {1, 2, 3, 4});
  FakeSource source = open_pictures(scratch("broken"), {{"repeat", integer(4)}});
  ASSERT_TRUE(source.probe().ok());
  EXPECT_EQ(widths(source).size(), 4u);
  EXPECT_EQ(source.corrupted, 4);
  const std::string said = log.text();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
}

TEST(PictureSource, AnUnknownHeaderThatIsLargerChangesTheFormat) {
  const fs::path folder = scratch_folder() / "growing";
  fs::create_directories(folder);
  make_media("growing/a.png", "-f lavfi -i testsrc2=s=32x32:d=1 -frames:v 1");
  make_media("growing/b.ppm", "-f lavfi -i testsrc2=s=96x96:d=1 -frames:v 1");
  FakeSource source = open_pictures(folder.string());
  ASSERT_TRUE(source.probe().ok());
  EXPECT_EQ(widths(source), (std::vector<int>{32, 96}));
  ASSERT_EQ(source.changes.size(), 1u);
  EXPECT_EQ(source.changes[0].type.width, 96);
}

TEST(PictureSource, SaysWhatIsWrong) {
  EXPECT_THAT(open_pictures(scratch("no.jpg")).probe().status().message(),
              HasSubstr("no such file or folder"));
  EXPECT_THAT(open_pictures(scratch("no*.jpg")).probe().status().message(), HasSubstr("no file matches"));
  fs::create_directories(scratch_folder() / "hollow");
  EXPECT_THAT(open_pictures(scratch("hollow")).probe().status().message(),
              AllOf(HasSubstr("holds no picture"), HasSubstr("recursive")));
  EXPECT_THAT(open_pictures(album() + "/notes.txt").probe().status().message(), HasSubstr("is no JPEG, PNG"));
  fs::create_directories(scratch_folder() / "bad");
  write_file(scratch("bad/a.jpg"), {0xFF, 0xD8, 0xFF});
  write_file(scratch("bad/b.jpg"), {'x'});
  EXPECT_THAT(open_pictures(scratch("bad")).probe().status().message(), HasSubstr("none of 2 files"));
}

TEST(PictureSource, ReadsRealPhotos) {
  const std::string faces = cached("dlib-faces");
  if (faces.empty()) GTEST_SKIP() << "tools/dev setup has not fetched the photos";
  FakeSource source = open_pictures(faces);
  const Result<SourceInfo> info = source.probe();
  ASSERT_TRUE(info.ok()) << info.status().message();
  EXPECT_EQ(widths(source).size(), static_cast<std::size_t>(info->frames));
  EXPECT_EQ(source.corrupted, 0);
  EXPECT_TRUE(source.changes.empty());
}

}  // namespace
}  // namespace sluice
