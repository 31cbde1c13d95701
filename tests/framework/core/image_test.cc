#include "framework/core/image.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Image, PlanesOfOddSizesRoundUp) {
  const ImageType nv12{PixelFormat::kNv12, 37, 23, {}, 0};
  EXPECT_EQ(plane_size(nv12, 1).width, 19);
  EXPECT_EQ(plane_size(nv12, 1).height, 12);
  EXPECT_EQ(plane_size(nv12, 1).bytes_per_sample, 2);
  const ImageType i422{PixelFormat::kI422, 37, 23, {}, 0};
  EXPECT_EQ(plane_size(i422, 2).width, 19);
  EXPECT_EQ(plane_size(i422, 2).height, 23);
}

TEST(Image, BytesAndLayoutAgree) {
  const ImageType type{PixelFormat::kI420, 100, 50, {}, 0};
  const auto bytes = image_bytes(type, 64);
  ASSERT_TRUE(bytes.ok());
  EXPECT_EQ(*bytes, 128u * 50 + 64u * 25 * 2);
  auto pool = BufferPool::create("test", *bytes, 1);
  ASSERT_TRUE(pool.ok());
  Image image;
  lay_out(type, (*pool)->acquire(), 64, image);
  EXPECT_EQ(image.planes[1] - image.planes[0], 128 * 50);
  EXPECT_EQ(image.planes[2] - image.planes[1], 64 * 25);
  EXPECT_EQ(image.strides[0], 128);
}

TEST(Image, RefusesSizesThatNoPictureHas) {
  EXPECT_EQ(image_bytes({PixelFormat::kGray, 0, 10, {}, 0}).status().message(),
            "a picture of 0x10 pixels is outside 1..16384");
  EXPECT_FALSE(image_bytes({PixelFormat::kGray, 10, 16385, {}, 0}).ok());
}

TEST(Image, ColourFollowsTheLinesWhenTheStreamIsSilent) {
  EXPECT_EQ(ColorSpace{}.resolved(720).matrix, ColorMatrix::kBt709);
  EXPECT_EQ(ColorSpace{}.resolved(719).matrix, ColorMatrix::kBt601);
  EXPECT_EQ(ColorSpace{}.resolved(719).range, ColorRange::kLimited);
  const ColorSpace written{ColorMatrix::kBt601, ColorRange::kFull};
  EXPECT_EQ(written.resolved(1080), written);
}

TEST(Image, RotationSwapsTheUprightSize) {
  const ImageType type{PixelFormat::kNv12, 1280, 720, {}, 90};
  EXPECT_EQ(type.upright_width(), 720);
  EXPECT_EQ(type.upright_height(), 1280);
}

TEST(Image, FormatNamesRoundTrip) {
  for (auto f :
       {PixelFormat::kNv12, PixelFormat::kI420, PixelFormat::kBgr, PixelFormat::kRgb, PixelFormat::kGray}) {
    EXPECT_EQ(parse_pixel_format(name_of(f)), f);
  }
  EXPECT_FALSE(parse_pixel_format("none"));
}

}  // namespace
}  // namespace sluice
