#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "nodes/draw/canvas.h"
#include "nodes/draw/font.h"
#include "nodes/draw/tint.h"
#include "nodes/post_nodes.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using namespace sluice::testing;

constexpr Color kRed{255, 0, 0};

int sample(const Image& image, int plane, int x, int y) {
  const auto p = static_cast<std::size_t>(plane);
  return image.planes[p][y * image.strides[p] + x];
}

Image& image_of(Packet& packet) { return *packet.edit<Image>(); }

TEST(Canvas, FillsExactlyTheRectangleInEveryFormat) {
  for (const PixelFormat format :
       {PixelFormat::kNv12, PixelFormat::kI420, PixelFormat::kI422, PixelFormat::kI444, PixelFormat::kBgr,
        PixelFormat::kRgb, PixelFormat::kGray}) {
    SCOPED_TRACE(std::string(name_of(format)));
    const ImageType type{format, 13, 9, {}, 0};
    Packet packet = make_picture(type, {1, 2, 3});
    Image& image = image_of(packet);
    Canvas(image).fill(3, 2, 6, 5, kRed);
    const int bytes = plane_size(type, 0).bytes_per_sample;
    for (int y = 0; y < 9; ++y) {
      for (int x = 0; x < 13; ++x) {
        const bool inside = x >= 3 && x < 6 && y >= 2 && y < 5;
        EXPECT_EQ(sample(image, 0, x * bytes, y) != 1, inside) << x << " " << y;
      }
    }
  }
}

TEST(Canvas, WritesTheSamplesOfTheColour) {
  const auto samples = [](ImageType type) {
    Packet packet = make_picture(type, {1, 1, 1});
    Image& image = image_of(packet);
    Canvas(image).fill(0, 0, 8, 8, kRed);
    std::vector<int> out;
    if (plane_count(type.format) == 1) {
      for (int i = 0; i < plane_size(type, 0).bytes_per_sample; ++i) out.push_back(sample(image, 0, i, 0));
    } else {
      out = {sample(image, 0, 0, 0), sample(image, 1, 0, 0),
             type.format == PixelFormat::kNv12 ? sample(image, 1, 1, 0) : sample(image, 2, 0, 0)};
    }
    return out;
  };
  using ::testing::ElementsAre;
  const ColorSpace full601{ColorMatrix::kBt601, ColorRange::kFull};
  const ColorSpace limited709{ColorMatrix::kBt709, ColorRange::kLimited};
  EXPECT_THAT(samples({PixelFormat::kRgb, 8, 8, {}, 0}), ElementsAre(255, 0, 0));
  EXPECT_THAT(samples({PixelFormat::kBgr, 8, 8, {}, 0}), ElementsAre(0, 0, 255));
  EXPECT_THAT(samples({PixelFormat::kGray, 8, 8, {}, 0}), ElementsAre(76)) << "BT.601 luma below 720 lines";
  EXPECT_THAT(samples({PixelFormat::kI420, 8, 8, {}, 0}), ElementsAre(81, 90, 240))
      << "BT.601 limited below 720 lines";
  EXPECT_THAT(samples({PixelFormat::kNv12, 8, 8, {}, 0}), ElementsAre(81, 90, 240));
  EXPECT_THAT(samples({PixelFormat::kI444, 8, 8, full601, 0}), ElementsAre(76, 85, 255));
  EXPECT_THAT(samples({PixelFormat::kI422, 8, 8, limited709, 0}), ElementsAre(63, 102, 240));
}

TEST(Canvas, HalvedChromaCoversWhatItTouches) {
  Packet packet = make_picture({PixelFormat::kI420, 8, 8, {}, 0}, {1, 1, 1});
  Image& image = image_of(packet);
  Canvas(image).fill(3, 3, 4, 4, kRed);
  EXPECT_NE(sample(image, 1, 1, 1), 1);
  EXPECT_EQ(sample(image, 1, 2, 1), 1);
  EXPECT_EQ(sample(image, 1, 0, 1), 1);
}

// The upright picture's pixels, whatever way the picture is stored.
int upright_sample(const Image& image, int x, int y) {
  const int w = image.type.width, h = image.type.height;
  switch (image.type.rotation) {
    case 90:
      return sample(image, 0, y, h - 1 - x);
    case 180:
      return sample(image, 0, w - 1 - x, h - 1 - y);
    case 270:
      return sample(image, 0, w - 1 - y, x);
    default:
      return sample(image, 0, x, y);
  }
}

TEST(Canvas, DrawingsStandUprightInRotatedPictures) {
  const ImageType upright{PixelFormat::kGray, 40, 24, {}, 0};
  Packet expected = make_picture(upright);
  Canvas(image_of(expected)).text(3, 4, "Fg7", 1, kRed);
  Canvas(image_of(expected)).frame(1, 2, 35, 20, 3, kRed);
  for (const int rotation : {90, 180, 270}) {
    SCOPED_TRACE(rotation);
    const bool turned = rotation != 180;
    Packet packet = make_picture({PixelFormat::kGray, turned ? 24 : 40, turned ? 40 : 24, {}, rotation});
    Canvas canvas(image_of(packet));
    EXPECT_EQ(canvas.width(), 40);
    canvas.text(3, 4, "Fg7", 1, kRed);
    canvas.frame(1, 2, 35, 20, 3, kRed);
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < 40; ++x) {
        EXPECT_EQ(upright_sample(image_of(packet), x, y), sample(image_of(expected), 0, x, y))
            << x << " " << y;
      }
    }
  }
}

TEST(Canvas, AFrameHasFourSidesAndNoInside) {
  Packet packet = make_picture({PixelFormat::kGray, 20, 20, {}, 0});
  Image& image = image_of(packet);
  Canvas(image).frame(5, 5, 15, 15, 3, kRed);  // 1 pixel outside, 2 inside
  for (int i = 0; i < 20; ++i) {
    const bool line = (i >= 4 && i < 7) || (i >= 13 && i < 16);
    EXPECT_EQ(sample(image, 0, i, 10) != 0, line) << i;
    EXPECT_EQ(sample(image, 0, 10, i) != 0, line) << i;
  }
  EXPECT_NE(sample(image, 0, 4, 4), 0);
  EXPECT_EQ(sample(image, 0, 3, 3), 0);
}

TEST(Canvas, TextIsMadeOfTheFontsDots) {
  Packet packet = make_picture({PixelFormat::kGray, 40, 20, {}, 0});
  Image& image = image_of(packet);
  Canvas(image).text(1, 1, "L", 2, kRed);
  for (int y = 0; y < 14; ++y) {
    EXPECT_NE(sample(image, 0, 1, 1 + y), 0);
    EXPECT_EQ(sample(image, 0, 3, 1 + y) != 0, y >= 12) << "the foot";
  }
  EXPECT_EQ(text_width("L", 2), 10);
  EXPECT_EQ(text_width("LL", 1), 11);
  EXPECT_EQ(text_width("ü", 1), 5) << "one '?' per character";
  EXPECT_EQ(text_width("", 3), 0);
  EXPECT_EQ(&glyph('\x7f'), &glyph('?'));
}

TEST(Canvas, ALineJoinsItsEnds) {
  Packet packet = make_picture({PixelFormat::kGray, 40, 30, {}, 0});
  Image& image = image_of(packet);
  Canvas canvas(image);
  canvas.line({5, 5}, {25, 15}, 1, kRed);
  EXPECT_NE(sample(image, 0, 5, 5), 0);
  EXPECT_NE(sample(image, 0, 15, 10), 0);
  EXPECT_NE(sample(image, 0, 25, 15), 0);
  int pixels = 0;
  for (int y = 0; y < 30; ++y)
    for (int x = 0; x < 40; ++x) pixels += sample(image, 0, x, y) != 0;
  EXPECT_EQ(pixels, 21) << "one per column";
  const float inf = std::numeric_limits<float>::infinity();
  canvas.line({-1e30F, std::nanf("")}, {inf, -inf}, 3, kRed);  // ends, and nobody is hurt
}

// What a mask covers, pixel by pixel, from the definition.
bool covered(const Mask& mask, double x, double y) {
  const Geometry& g = mask.geometry;
  const double det = g.xx * g.yy - g.xy * g.yx;
  const double column = std::floor((g.yy * (x - g.x0) - g.xy * (y - g.y0)) / det);
  const double row = std::floor((g.xx * (y - g.y0) - g.yx * (x - g.x0)) / det);
  if (column < 0 || row < 0 || column >= g.grid_width || row >= g.grid_height) return false;
  return mask.values[static_cast<std::size_t>(row) * static_cast<std::size_t>(g.grid_width) +
                     static_cast<std::size_t>(column)] >= Masks::kCovered;
}

TEST(Tint, CoversWhatTheMaskCoversInEveryRotation) {
  Masks masks;
  masks.kind = Masks::Kind::kInstances;
  Mask& mask = masks.add();
  // A grid of 4 x 3 cells, 9 x 7 pixels each, turned and moved a little.
  mask.geometry = {9, 1.5, 3.3, -1.25, 7, 6.1, 4, 3, 40, 24};
  mask.values = {255, 0, 200, 127, 0, 128, 255, 0, 255, 0, 0, 255};
  const std::array<Color, 1> white = {Color{255, 255, 255}};
  for (const int rotation : {0, 90, 180, 270}) {
    SCOPED_TRACE(rotation);
    const bool turned = rotation % 180 != 0;
    Packet packet =
        make_picture({PixelFormat::kGray, turned ? 24 : 40, turned ? 40 : 24, {}, rotation}, {100, 0, 0});
    tint(image_of(packet), masks, mask, white);
    for (int y = 0; y < 24; ++y) {
      for (int x = 0; x < 40; ++x) {
        EXPECT_EQ(upright_sample(image_of(packet), x, y), covered(mask, x + 0.5, y + 0.5) ? 178 : 100)
            << x << " " << y;
      }
    }
  }
}

TEST(Tint, EveryPlaneGoesHalfWayToTheColour) {
  Masks masks;
  Mask& mask = masks.add();
  mask.geometry = {8, 0, 0, 0, 8, 0, 1, 1, 8, 8};
  mask.values = {3};
  const std::array<Color, 2> palette = {Color{}, kRed};
  for (const PixelFormat format :
       {PixelFormat::kNv12, PixelFormat::kI420, PixelFormat::kI422, PixelFormat::kI444, PixelFormat::kBgr,
        PixelFormat::kRgb, PixelFormat::kGray}) {
    SCOPED_TRACE(std::string(name_of(format)));
    const ImageType type{format, 16, 8, {}, 0};
    Packet packet = make_picture(type, {40, 60, 80});
    Image& image = image_of(packet);
    const std::array<std::uint8_t, 3> red = Canvas(image).samples_of(kRed);
    tint(image, masks, mask, palette);
    for (int p = 0; p < plane_count(format); ++p) {
      const PlaneSize size = plane_size(type, p);
      const int before = 40 + 20 * p;
      for (int x = 0; x < size.width * size.bytes_per_sample; ++x) {
        const int value = red[static_cast<std::size_t>(p + x % size.bytes_per_sample)];
        const bool inside = x < size.width * size.bytes_per_sample / 2;
        EXPECT_EQ(sample(image, p, x, 0), inside ? (before + value + 1) / 2 : before) << p << " " << x;
      }
    }
  }
}

TEST(Tint, BackgroundAndNothingStayAsTheyAre) {
  Masks masks;
  masks.background = 7;
  Mask& mask = masks.add();
  mask.geometry = {1, 0, 0, 0, 1, 0, 3, 1, 3, 1};
  mask.values = {7, 255, 1};
  Packet packet = make_picture({PixelFormat::kGray, 3, 1, {}, 0}, {100, 0, 0});
  const std::array<Color, 1> black = {Color{}};
  tint(image_of(packet), masks, mask, black);
  EXPECT_EQ(sample(image_of(packet), 0, 0, 0), 100);
  EXPECT_EQ(sample(image_of(packet), 0, 1, 0), 100);
  EXPECT_EQ(sample(image_of(packet), 0, 2, 0), 50);
}

TEST(Tint, MasksThatMakeNoSenseAreHarmless) {
  const std::array<Color, 1> black = {Color{}};
  const double inf = std::numeric_limits<double>::infinity();
  const Geometry geometries[] = {{},
                                 {0, 0, 0, 0, 0, 0, 2, 2, 8, 8},
                                 {inf, 0, 0, 0, 1, 0, 2, 2, 8, 8},
                                 {1, 0, 0, 0, 1, 0, 1 << 30, 1 << 30, 8, 8},
                                 {1e-5, 0, -1e30, 0, 1e-5, std::nan(""), 2, 2, 8, 8}};
  for (const Geometry& geometry : geometries) {
    Masks masks;
    Mask& mask = masks.add();
    mask.geometry = geometry;
    mask.values = {0, 0, 0, 0};
    Packet packet = make_picture({PixelFormat::kNv12, 8, 8, {}, 0}, {100, 0, 0});
    tint(image_of(packet), masks, mask, black);
  }
}

TEST(Canvas, NothingOutsideThePictureIsTouched) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto any = [&](int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(random); };
    const PixelFormat formats[] = {PixelFormat::kNv12, PixelFormat::kI420, PixelFormat::kBgr,
                                   PixelFormat::kI422};
    const ImageType type{formats[seed % 4], any(1, 30), any(1, 30), {}, 90 * any(0, 3)};
    Packet packet = make_picture(type, {5, 5, 5});
    Image& image = image_of(packet);
    Canvas canvas(image);
    canvas.frame(any(-50, 50), any(-50, 50), any(-50, 50), any(-50, 50), any(1, 20), kRed);
    canvas.fill(any(-50, 50), any(-50, 50), any(-50, 50), any(-50, 50), kRed);
    canvas.text(any(-50, 50), any(-50, 50), "abc", any(1, 5), kRed);
    for (int p = 0; p < plane_count(type.format); ++p) {  // the rows' padding keeps its value
      const PlaneSize size = plane_size(type, p);
      for (int y = 0; y < size.height; ++y) {
        for (int x = size.width * size.bytes_per_sample; x < image.strides[static_cast<std::size_t>(p)];
             ++x) {
          ASSERT_EQ(sample(image, p, x, y), 5);
        }
      }
    }
  }
}

class DrawTest : public ::testing::Test {
 protected:
  const Image& run(OptionMap written = {}) {
    context_.set_options(options_of(declaration_, std::move(written)));
    context_.clear();
    const Status status = node_->process(context_);
    EXPECT_TRUE(status.ok()) << status.message();
    return *context_.emitted().at(0).get<Image>();
  }
  void give_box(Detection detection) {
    Detections found;
    found.labels = &labels_;
    found.add() = std::move(detection);
    context_.set_input(1, make_packet(std::move(found)));
  }
  static int changed(const Image& image) {
    int count = 0;
    for (int y = 0; y < image.type.height; ++y)
      for (int x = 0; x < image.type.width; ++x) count += sample(image, 0, x, y) != 0;
    return count;
  }

  NodeDeclaration declaration_ = draw_declaration();
  std::unique_ptr<Node> node_ = declaration_.create().value();
  FakeContext context_;
  std::vector<std::string> labels_ = {"face"};
  Packet picture_ = make_picture({PixelFormat::kGray, 240, 240, {}, 0});
};

TEST_F(DrawTest, DrawsTheBoxTheLabelAndTheKeypoints) {
  context_.set_input(0, picture_);
  give_box({100, 100, 50, 60, 0.9F, 0, {{120, 130}}});
  const Image& image = run({{"thickness", integer(2)}});
  EXPECT_NE(sample(image, 0, 100, 130), 0) << "left side";
  EXPECT_NE(sample(image, 0, 150, 130), 0) << "right side";
  EXPECT_NE(sample(image, 0, 125, 160), 0) << "lower side";
  EXPECT_NE(sample(image, 0, 120, 130), 0) << "keypoint";
  EXPECT_EQ(sample(image, 0, 140, 140), 0) << "inside";
  EXPECT_NE(sample(image, 0, 105, 94), 0) << "label above";
  EXPECT_EQ(sample(*picture_.get<Image>(), 0, 100, 130), 0) << "the input is not touched";
}

TEST_F(DrawTest, ThicknessFollowsThePictureUnlessGiven) {
  context_.set_input(0, picture_);
  give_box({100, 100, 50, 60, 0.9F, 0, {}});
  const int automatic = changed(run()), three = changed(run({{"thickness", integer(3)}}));
  EXPECT_GT(three, automatic) << "240 pixels high: 1";
  EXPECT_EQ(automatic, changed(run({{"thickness", integer(1)}})));
}

TEST_F(DrawTest, BoxesThatMakeNoSenseAreHarmless) {
  context_.set_input(0, picture_);
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  give_box({nan, -inf, inf, 1e30F, nan, -7, {{nan, inf}, {-1e30F, 5}}});
  run();
  labels_[0] = std::string(1000, 'x');
  give_box({10, 10, 5, 5, 0.5F, 0, {}});
  run();
}

TEST_F(DrawTest, WithoutResultsThePictureStaysAsItIs) {
  context_.set_input(0, picture_);
  EXPECT_EQ(changed(run()), 0);
}

TEST_F(DrawTest, ClassesStandInTheTopLeftCorner) {
  Packet grey = make_picture({PixelFormat::kGray, 240, 240, {}, 0}, {100, 0, 0});
  context_.set_input(0, grey);
  Classes classes;
  classes.items = {{0, 0.5F}, {1, 0.25F}};
  classes.count = 2;
  classes.labels = &labels_;
  context_.set_input(2, make_packet(std::move(classes)));
  const Image& image = run();
  EXPECT_EQ(sample(image, 0, 0, 0), 0) << "the ground of the first line";
  EXPECT_EQ(sample(image, 0, 0, 9), 0) << "of the second";
  EXPECT_EQ(sample(image, 0, 0, 18), 100);
}

TEST_F(DrawTest, TextHasItsQuadrilateralAndWhatItSays) {
  context_.set_input(0, picture_);
  TextRegions regions;
  TextRegion& region = regions.add();
  region = {{{{100, 100}, {180, 120}, {175, 140}, {95, 120}}}, 0.9F, "exit"};
  context_.set_input(3, make_packet(std::move(regions)));
  const Image& image = run({{"thickness", integer(1)}});
  EXPECT_NE(sample(image, 0, 140, 110), 0) << "upper side";
  EXPECT_NE(sample(image, 0, 135, 130), 0) << "lower side";
  EXPECT_EQ(sample(image, 0, 138, 120), 0) << "inside";
  EXPECT_NE(sample(image, 0, 100, 91), 0) << "the words above";
}

TEST_F(DrawTest, TextThatNobodyReadHasNoWords) {
  context_.set_input(0, picture_);
  TextRegions regions;
  regions.add().box = {{{100, 100}, {180, 100}, {180, 120}, {100, 120}}};
  context_.set_input(3, make_packet(std::move(regions)));
  EXPECT_EQ(changed(run({{"thickness", integer(1)}})), 2 * 81 + 2 * 19);
}

TEST_F(DrawTest, MasksLieUnderBoxesAndObjectsHaveLabels) {
  context_.set_input(0, make_picture({PixelFormat::kGray, 240, 240, {}, 0}, {100, 0, 0}));
  Masks masks;
  masks.kind = Masks::Kind::kInstances;
  masks.labels = &labels_;
  Mask& mask = masks.add();
  mask.geometry = {60, 0, 0, 0, 60, 0, 4, 4, 240, 240};
  mask.values = {0, 0, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0};
  context_.set_input(4, make_packet(std::move(masks)));
  const Image& image = run();
  EXPECT_EQ(sample(image, 0, 50, 100), 100) << "beside it";
  EXPECT_NE(sample(image, 0, 70, 130), 100) << "in it";
  EXPECT_NE(sample(image, 0, 91, 91), sample(image, 0, 70, 130)) << "its label, at its first cell";
}

TEST_F(DrawTest, FpsComeFromTheRunsClock) {
  context_.set_input(0, picture_);
  Packet reference = make_picture({PixelFormat::kGray, 240, 240, {}, 0});
  Canvas canvas(image_of(reference));
  const int width = text_width("25.0 fps", 1);
  canvas.fill(240 - width - 2, 0, 240, 9, Color{0, 0, 0});
  canvas.text(240 - width - 1, 1, "25.0 fps", 1, Color{255, 255, 255});
  for (int i = 0; i < 100; ++i) {
    context_.time.advance_to(context_.time.now() + from_ms(40));
    run({{"show_fps", flag(true)}});
  }
  const Image& image = *context_.emitted().at(0).get<Image>();
  for (int y = 0; y < 12; ++y) {
    for (int x = 150; x < 240; ++x) {
      ASSERT_EQ(sample(image, 0, x, y), sample(*reference.get<Image>(), 0, x, y)) << x << " " << y;
    }
  }
}

TEST_F(DrawTest, EditsItsInputAndKeepsItsType) {
  EXPECT_TRUE(declaration_.inputs[0].writes_in_place);
  EXPECT_TRUE(declaration_.inputs[1].optional);
  FakeTypes types;
  types.ports = {{image_port({PixelFormat::kI420, 64, 48, {}, 90})}};
  EXPECT_EQ(declaration_.infer_types(types)->at(0).image, types.ports[0][0].image);
}

}  // namespace
}  // namespace sluice
