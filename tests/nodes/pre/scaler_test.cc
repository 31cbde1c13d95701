// The pixel engine against the float64 reference, by properties and by hand-computed pictures.
#include "nodes/pixels/scaler.h"

#include <gtest/gtest.h>

#include "tests/nodes/pre/random_pictures.h"

namespace sluice::pixels {
namespace {

TEST(Scaler, StaysWithinTheContractsErrorForAnyPictureAndTarget) {
  const KernelList sets = usable_kernels();
  for (unsigned seed = 1; seed <= 600; ++seed) {
    std::mt19937 random(seed);
    const Picture picture =
        make_picture(random_type(random), static_cast<int>(random() % 40), random() % 4 == 0, random);
    const Target target = random_target(random);
    std::vector<std::byte> first;
    for (int k = 0; k < sets.count; ++k) {
      const Kernels& use = *sets.sets[static_cast<std::size_t>(k)];
      SCOPED_TRACE("seed " + std::to_string(seed) + ", kernels " + use.name + ": " +
                   describe(picture.image.type, target));
      auto scaler = PictureScaler::create(target, use);
      ASSERT_TRUE(scaler.ok()) << scaler.status().message();
      std::vector<std::byte> tensor = tensor_for(target);
      ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
      const Errors errors = errors_of(tensor, target, picture.image);
      const double rounding = rounding_of(target);
      ASSERT_LT(errors.max, 0.25 + rounding);
      ASSERT_LT(errors.mean, 0.1 + rounding);
      if (k > 0) {
        ASSERT_EQ(tensor, first) << "every kernel set gives the same numbers";
      }
      first = std::move(tensor);
    }
  }
}

TEST(Scaler, OneScalerFollowsPicturesOfChangingTypes) {
  std::mt19937 random(7);
  Target target;
  target.width = 31;
  target.height = 17;
  auto scaler = PictureScaler::create(target);
  ASSERT_TRUE(scaler.ok());
  for (int i = 0; i < 50; ++i) {
    const Picture picture = make_picture(random_type(random), 0, false, random);
    std::vector<std::byte> tensor = tensor_for(target);
    ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
    ASSERT_LT(errors_of(tensor, target, picture.image).max, 0.25) << i;
    EXPECT_EQ(scaler->geometry().source_width, picture.image.type.upright_width());
  }
}

TEST(Scaler, GeometryMapsGridCornersToTheUprightSource) {
  Target target;
  target.width = 100;
  target.height = 100;
  target.fit = Fit::kLetterbox;
  auto scaler = PictureScaler::create(target);
  ASSERT_TRUE(scaler.ok());
  std::mt19937 random(3);
  ImageType type{
      PixelFormat::kGray, 200, 100, {}, 90};  // upright: 100 wide, 200 high -> 50 x 100, 25 to the left
  const Picture picture = make_picture(type, 0, false, random);
  std::vector<std::byte> tensor = tensor_for(target);
  ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
  const Geometry& g = scaler->geometry();
  EXPECT_DOUBLE_EQ(g.xx * 25 + g.x0, 0);
  EXPECT_DOUBLE_EQ(g.xx * 75 + g.x0, 100);
  EXPECT_DOUBLE_EQ(g.yy * 100 + g.y0, 200);
  EXPECT_EQ(g.source_width, 100);
  EXPECT_EQ(g.source_height, 200);
  EXPECT_EQ(g.grid_width, 100);
}

// A bright dot is found where the geometry says it is, for every fit and rotation.
TEST(Scaler, GeometryFindsAMarkedPixelAgain) {
  std::mt19937 random(11);
  for (int i = 0; i < 200; ++i) {
    ImageType type{PixelFormat::kGray,
                   40 + static_cast<int>(random() % 60),
                   40 + static_cast<int>(random() % 60),
                   {},
                   pick(random, {0, 90, 180, 270})};
    Picture picture = make_picture(type, 0, false, random);
    std::fill(picture.memory[0].begin(), picture.memory[0].end(), std::uint8_t{0});
    const int x = type.width / 2 + static_cast<int>(random() % 7) - 3;
    const int y = type.height / 2 + static_cast<int>(random() % 7) - 3;
    picture.memory[0][static_cast<std::size_t>(y * type.width + x)] = 255;
    Target target;
    target.width = 150;
    target.height = 130;
    target.color = Color::kGray;
    target.fit = pick(random, {Fit::kStretch, Fit::kLetterbox, Fit::kCrop});
    auto scaler = PictureScaler::create(target);
    ASSERT_TRUE(scaler.ok());
    std::vector<std::byte> tensor = tensor_for(target);
    ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
    double sum = 0, sum_x = 0, sum_y = 0;
    for (int ty = 0; ty < target.height; ++ty) {
      for (int tx = 0; tx < target.width; ++tx) {
        const double v = pixel_of(tensor, target, tx, ty, 0);
        sum += v;
        sum_x += v * (tx + 0.5);
        sum_y += v * (ty + 0.5);
      }
    }
    const Geometry& g = scaler->geometry();
    const double found_x = g.xx * sum_x / sum + g.x0;
    const double found_y = g.yy * sum_y / sum + g.y0;
    const double cx = x + 0.5, cy = y + 0.5;
    const double want_x[] = {cx, type.height - cy, type.width - cx, cy};
    const double want_y[] = {cy, cx, type.height - cy, type.width - cx};
    const auto turn = static_cast<std::size_t>(type.rotation / 90);
    EXPECT_NEAR(found_x, want_x[turn], 0.25) << "rotation " << type.rotation;
    EXPECT_NEAR(found_y, want_y[turn], 0.25) << "rotation " << type.rotation;
  }
}

std::vector<float> run_float(const Image& image, const Target& target) {
  auto scaler = PictureScaler::create(target);
  EXPECT_TRUE(scaler.ok());
  std::vector<float> out(static_cast<std::size_t>(target.width * target.height * target.channels()));
  EXPECT_TRUE(scaler->run(image, reinterpret_cast<std::byte*>(out.data())).ok());
  return out;
}

// 4x1 gray to 2x1: cell centres map to 1 and 3, half-way between the samples of each half.
TEST(Scaler, HandComputedGrayHalves) {
  std::uint8_t samples[] = {10, 20, 40, 81};
  Image image;
  image.type = {PixelFormat::kGray, 4, 1, {}, 0};
  image.planes[0] = samples;
  image.strides[0] = 4;
  Target target;
  target.width = 2;
  target.height = 1;
  target.color = Color::kGray;
  target.mean = {15, 0, 0};
  target.std = {2, 1, 1};
  const std::vector<float> out = run_float(image, target);
  EXPECT_NEAR(out[0], (15.0 - 15) / 2, 1e-6);
  EXPECT_NEAR(out[1], (60.5 - 15) / 2, 1e-6);
}

// 2x2 NV12, BT.601 limited, at its own size: Y = 81, U = 90, V = 240 is pure red; Y 235 with neutral chroma
// white.
TEST(Scaler, HandComputedRedInNv12) {
  std::uint8_t luma[] = {81, 81, 81, 81};
  std::uint8_t chroma[] = {90, 240};
  Image image;
  image.type = {PixelFormat::kNv12, 2, 2, {ColorMatrix::kBt601, ColorRange::kLimited}, 0};
  image.planes = {luma, chroma, nullptr};
  image.strides = {2, 2, 0};
  Target target;
  target.width = 2;
  target.height = 2;
  target.layout = Layout::kNhwc;
  const std::vector<float> out = run_float(image, target);
  // 1.16438 * 65 + 1.59603 * 112 = 254.44; 75.685 + 0.391762 * 38 - 0.812968 * 112 = -0.48; 75.685 - 2.01723
  // * 38 = -0.97
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_NEAR(out[3 * i], 254.44, 0.1);
    EXPECT_EQ(out[3 * i + 1], 0);
    EXPECT_EQ(out[3 * i + 2], 0);
  }
}

// 2x1 RGB into 4x4, letterboxed: scale 2, so 4x2 with one line of padding above and below. Centres map to
// 0.25, 0.75, 1.25, 1.75: samples 0 (clamped), 3:1, 1:3, 1.
TEST(Scaler, HandComputedLetterbox) {
  std::uint8_t pixels[] = {0, 100, 200, 80, 60, 40};
  Image image;
  image.type = {PixelFormat::kRgb, 2, 1, {}, 0};
  image.planes[0] = pixels;
  image.strides[0] = 6;
  Target target;
  target.width = 4;
  target.height = 4;
  target.fit = Fit::kLetterbox;
  target.color = Color::kBgr;
  target.dtype = DType::kFloat32;
  target.pad_value = 114;
  const std::vector<float> out = run_float(image, target);
  const float blue[] = {200, 160, 80, 40};
  const float red[] = {0, 20, 60, 80};
  for (std::size_t x = 0; x < 4; ++x) {
    EXPECT_EQ(out[x], 114);
    EXPECT_EQ(out[12 + x], 114);
    EXPECT_EQ(out[4 + x], blue[x]);
    EXPECT_EQ(out[8 + x], blue[x]);
    EXPECT_EQ(out[32 + 4 + x], red[x]);
  }
}

// Half values round to even and too large ones saturate: 10.5 -> 10, 11.5 -> 12.
TEST(Scaler, PlainIntegersRoundHalfToEvenAndSaturate) {
  std::uint8_t samples[] = {10, 11, 11, 12, 200, 200, 0, 0};
  Image image;
  image.type = {PixelFormat::kGray, 8, 1, {}, 0};
  image.planes[0] = samples;
  image.strides[0] = 8;
  Target target;
  target.width = 4;
  target.height = 1;
  target.color = Color::kGray;
  target.dtype = DType::kInt8;
  auto scaler = PictureScaler::create(target);
  ASSERT_TRUE(scaler.ok());
  std::int8_t out[4];
  ASSERT_TRUE(scaler->run(image, reinterpret_cast<std::byte*>(out)).ok());
  EXPECT_EQ(out[0], 10);
  EXPECT_EQ(out[1], 12);
  EXPECT_EQ(out[2], 127);
  EXPECT_EQ(out[3], 0);
}

// A narrow or shifted range, so that many elements lie outside it.
Target narrow_target(std::mt19937& random) {
  Target t = random_target(random);
  t.dtype = pick(random, {DType::kUint8, DType::kInt8, DType::kUint16, DType::kInt16});
  const int steps = size_of(t.dtype) == 1 ? 255 : 65535;
  const float scale = static_cast<float>(pick(random, {0.37, 0.61, 1.3})) / static_cast<float>(steps);
  const std::int32_t low = t.dtype == DType::kInt8 ? -128 : t.dtype == DType::kInt16 ? -32768 : 0;
  t.quant = QuantParams{{scale}, {low + steps * pick(random, {-1, 0, 1}) / 5}, -1};
  t.std = {255, 255, 255};
  t.mean = {0, 20, 40};
  return t;
}

// Counted over the picture's part of the grid, in the same tensor written as floats.
std::uint64_t count_lost(const Target& t, const Image& image) {
  Target plain = t;
  plain.dtype = DType::kFloat32;
  plain.quant.reset();
  std::vector<std::byte> tensor = tensor_for(plain);
  EXPECT_TRUE(PictureScaler::create(plain)->run(image, tensor.data()).ok());
  const PictureFit fit =
      fit_picture(t.fit, image.type.upright_width(), image.type.upright_height(), t.width, t.height);
  const auto range = *integer_range(t.dtype);
  std::uint64_t lost = 0;
  for (int y = fit.y.offset; y < fit.y.offset + fit.y.scaled; ++y)
    for (int x = fit.x.offset; x < fit.x.offset + fit.x.scaled; ++x)
      for (int c = 0; c < t.channels(); ++c) {
        const auto channel = static_cast<std::size_t>(c);
        const double real = (pixel_of(tensor, plain, x, y, c) - t.mean[channel]) / t.std[channel];
        const double q = real / static_cast<double>(t.quant->scale[0]) + t.quant->zero_point[0];
        lost += q < range.low - 0.51 || q > range.high + 0.51 ? 1 : 0;
      }
  return lost;
}

TEST(Scaler, CountsWhatTheQuantisationDoesNotHold) {
  const KernelList sets = usable_kernels();
  std::uint64_t lost = 0, all = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    const Picture picture = make_picture(random_type(random), 0, random() % 4 == 0, random);
    const Target target = narrow_target(random);
    const std::uint64_t want = count_lost(target, picture.image);
    for (int k = 0; k < sets.count; ++k) {
      auto scaler = PictureScaler::create(target, *sets.sets[static_cast<std::size_t>(k)]);
      ASSERT_TRUE(scaler.ok());
      std::vector<std::byte> tensor = tensor_for(target);
      for (int again = 0; again < 2; ++again) {
        ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
        ASSERT_EQ(scaler->clipped(), want) << "seed " << seed;
      }
      all += scaler->elements();
    }
    lost += want;
  }
  EXPECT_GT(lost, all / 20);  // else the pictures showed nothing
  EXPECT_LT(lost, all / 2);
}

// White and black stand exactly at the ends, or half a step outside: nothing is lost. Padding is no picture.
TEST(Scaler, TheEndsOfTheRangeAndPaddingAreNotCounted) {
  std::uint8_t pixels[] = {0, 255};
  Image image;
  image.type = {PixelFormat::kGray, 2, 1, {}, 0};
  image.planes[0] = pixels;
  image.strides[0] = 2;
  Target target;
  target.width = target.height = 4;
  target.dtype = DType::kUint8;
  target.std = {255, 255, 255};
  target.quant = QuantParams{{1.0f / 255}, {0}, -1};
  const auto counts = [&] {
    auto scaler = PictureScaler::create(target);
    std::vector<std::byte> tensor = tensor_for(target);
    EXPECT_TRUE(scaler->run(image, tensor.data()).ok());
    return std::pair(scaler->clipped(), scaler->elements());
  };
  EXPECT_EQ(counts(), std::pair(std::uint64_t{0}, std::uint64_t{48}));
  target.mean = target.std = {127.5, 127.5, 127.5};
  target.dtype = DType::kInt8;
  target.quant = QuantParams{{2.0f / 255}, {-1}, -1};  // -1 is -128.5 steps
  EXPECT_EQ(counts().first, 0u);
  target.fit = Fit::kLetterbox;                          // 4x2 of 4x4
  target.quant = QuantParams{{1.0f / 255}, {-128}, -1};  // holds 0..1: the dark half is lost
  EXPECT_EQ(counts(), std::pair(std::uint64_t{12}, std::uint64_t{24}));
  pixels[0] = 255;
  EXPECT_EQ(counts(), std::pair(std::uint64_t{0}, std::uint64_t{24}));  // though the padding is dark
  target.dtype = DType::kFloat32;
  target.quant.reset();
  EXPECT_EQ(counts(), std::pair(std::uint64_t{0}, std::uint64_t{0}));
}

TEST(Scaler, RefusesWhatCannotBe) {
  Target target;
  EXPECT_EQ(PictureScaler::create(target).status().message(), "target size is 0x0, allowed: 1..16384");
  target.width = target.height = 8;
  target.std = {1, 0, 1};
  EXPECT_EQ(PictureScaler::create(target).status().message(),
            "mean is 0 and std is 0, allowed: finite, and std above 0");
  target.std = {1, 1, 1};
  target.pad_value = 300;
  EXPECT_EQ(PictureScaler::create(target).status().message(), "pad_value is 300, allowed: 0..255");
  target.pad_value = 0;
  target.dtype = DType::kInt64;
  EXPECT_EQ(PictureScaler::create(target).status().message(),
            "a picture cannot be written as int64, allowed: float32, float16, uint8, int8, uint16, int16");
  target.dtype = DType::kUint8;
  target.quant = QuantParams{{1, 1}, {0, 0}, 1};
  EXPECT_EQ(PictureScaler::create(target).status().message(),
            "a picture of 3 channel(s) cannot be quantised with 2 scale(s) and 2 zero point(s)");
  target.quant = QuantParams{{0}, {0}, -1};
  EXPECT_EQ(PictureScaler::create(target).status().message(), "scale is 0, allowed: positive and finite");
  target.quant.reset();
  auto scaler = PictureScaler::create(target);
  ASSERT_TRUE(scaler.ok());
  std::vector<std::byte> tensor = tensor_for(target);
  const Status status = scaler->run(Image{}, tensor.data());
  EXPECT_EQ(status.code(), Code::kFailed);
  EXPECT_EQ(status.message(),
            "a picture of 0x0 pixels, format none, rotation 0 cannot be scaled; allowed: 1..16384 "
            "pixels a side, rotation 0, 90, 180, 270");
}

}  // namespace
}  // namespace sluice::pixels
