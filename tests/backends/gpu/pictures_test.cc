// `preprocess` on the OpenCL device against the contract's definition in float64: the pictures and targets of
// the CPU's own test.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <memory>

#include "backends/gpu/device/counters.h"
#include "backends/gpu/kernels/element_types.h"
#include "backends/gpu/pictures/device_pictures.h"
#include "backends/gpu/plan/executable.h"
#include "nodes/pixels/recipe.h"
#include "tests/nodes/pre/random_pictures.h"

namespace sluice::pixels {
namespace {

class GpuPictures : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("POCL_CACHE_DIR", SLUICE_TEST_POCL_CACHE, 0);
    ::setenv("SLUICE_ARTIFACTS", "off", 0);
    const auto api = gpu::the_api();
    ASSERT_TRUE(api.ok()) << api.status().message();
    auto opened = gpu::DevicePictures::open(**api, "auto");
    ASSERT_TRUE(opened.ok()) << opened.status().message();
    maker_ = std::move(*opened);
  }
  static void TearDownTestSuite() { maker_.reset(); }

  static std::vector<std::byte> make(const Image& image, const Target& target) {
    const auto made = recipe_of(target, image.type);
    EXPECT_TRUE(made.ok()) << made.status().message();
    std::vector<std::byte> tensor = tensor_for(target);
    Status status = maker_->prepare(made->recipe);
    EXPECT_TRUE(status.ok()) << status.message();
    status = maker_->run(image, tensor.data());
    EXPECT_TRUE(status.ok()) << status.message();
    return tensor;
  }

  static inline std::unique_ptr<gpu::DevicePictures> maker_;
};

TEST_F(GpuPictures, AnyPictureAndTargetIsWithinTheContractsError) {
  for (unsigned seed = 1; seed <= 600; ++seed) {
    std::mt19937 random(seed);
    const Picture picture =
        make_picture(random_type(random), static_cast<int>(random() % 40), random() % 4 == 0, random);
    const Target target = random_target(random);
    SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(picture.image.type, target));
    const Errors errors = errors_of(make(picture.image, target), target, picture.image);
    const double rounding = rounding_of(target);
    ASSERT_LT(errors.max, 0.25 + rounding);
    ASSERT_LT(errors.mean, 0.1 + rounding);
  }
}

TEST_F(GpuPictures, TheGeometryIsTheCpus) {
  std::mt19937 random(5);
  for (int i = 0; i < 50; ++i) {
    const Picture picture = make_picture(random_type(random), 0, false, random);
    const Target target = random_target(random);
    auto scaler = PictureScaler::create(target);
    ASSERT_TRUE(scaler.ok());
    std::vector<std::byte> tensor = tensor_for(target);
    ASSERT_TRUE(scaler->run(picture.image, tensor.data()).ok());
    const Geometry ours = recipe_of(target, picture.image.type)->geometry, &theirs = scaler->geometry();
    const auto map_of = [](const Geometry& g) {
      return std::array<double, 6>{g.xx, g.xy, g.x0, g.yx, g.yy, g.y0};
    };
    EXPECT_EQ(map_of(ours), map_of(theirs));
    EXPECT_EQ(ours.source_width, theirs.source_width);
    EXPECT_EQ(ours.source_height, theirs.source_height);
  }
}

// A decoder's buffers may differ in their strides although the pictures are of one type; negative: bottom up.
TEST_F(GpuPictures, StridesMayChangeFromPictureToPicture) {
  std::mt19937 random(9);
  Target target;
  target.width = 24;
  target.height = 17;
  const ImageType type{PixelFormat::kNv12, 62, 40, {}, 0};
  ASSERT_TRUE(maker_->prepare(recipe_of(target, type)->recipe).ok());
  for (const int extra : {0, 7, 64, 3}) {
    Picture picture = make_picture(type, extra, false, random);
    for (const bool upside_down : {false, true}) {
      if (upside_down)
        for (std::size_t p = 0; p < 2; ++p) {
          Image& image = picture.image;
          image.planes[p] += image.strides[p] * (plane_size(type, static_cast<int>(p)).height - 1);
          image.strides[p] = -image.strides[p];
        }
      std::vector<std::byte> tensor = tensor_for(target);
      ASSERT_TRUE(maker_->run(picture.image, tensor.data()).ok());
      EXPECT_LT(errors_of(tensor, target, picture.image).max, 0.25)
          << extra << (upside_down ? ", upside down" : "");
    }
  }
}

// Half values round to even and too large ones saturate: 10.5 -> 10, 11.5 -> 12.
TEST_F(GpuPictures, PlainIntegersRoundHalfToEvenAndSaturate) {
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
  const std::vector<std::byte> tensor = make(image, target);
  const std::array<std::byte, 4> wanted = {std::byte{10}, std::byte{12}, std::byte{127}, std::byte{0}};
  EXPECT_TRUE(std::equal(tensor.begin(), tensor.end(), wanted.begin()));
}

// From the picture to the session's result nothing is written to the device and nothing but the result is
// read, and not even that where it lies in memory that the device sees: as on every device that shares the
// host's memory.
TEST_F(GpuPictures, TheSessionBehindItReadsTheTensorWhereTheGpuWroteIt) {
  constexpr std::size_t kSide = 32, kElements = kSide * kSide, kBytes = kElements * sizeof(float);
  struct alignas(64) Lines {
    std::array<std::byte, kBytes> bytes{};
  };
  auto samples = std::make_unique<Lines>(), tensor = std::make_unique<Lines>(),
       result = std::make_unique<Lines>();
  for (std::size_t i = 0; i < kBytes; ++i) samples->bytes[i] = static_cast<std::byte>(i * 7);
  Image image;
  image.type = {PixelFormat::kGray, 64, 64, {}, 0};
  image.planes[0] = reinterpret_cast<std::uint8_t*>(samples->bytes.data());
  image.strides[0] = 64;
  Target target;
  target.width = target.height = static_cast<int>(kSide);
  target.color = Color::kGray;
  ASSERT_TRUE(maker_->prepare(recipe_of(target, image.type)->recipe).ok());

  const auto api = gpu::the_api();
  const auto context = gpu::Context::shared(**api, gpu::list_devices(**api).value().front()).value();
  gpu::Recipe recipe;
  recipe.slots = {{.bytes = kBytes, .constant = {}}, {.bytes = kBytes, .constant = {}}};
  recipe.launches = {{"edge",
                      "enter",
                      {gpu::Reads{0}, gpu::Writes{1}, static_cast<std::int32_t>(kElements), TYPE_FLOAT32},
                      {kElements, 1, 1}}};
  recipe.inputs = {{.slot = 0, .bytes = kBytes, .dims = {1, 1, kSide, kSide}}};
  recipe.outputs = {{.slot = 1, .bytes = kBytes, .dims = {1, 1, kSide, kSide}}};
  const auto session = gpu::Executable::create(context, std::move(recipe), false).value();

  const std::uint64_t before = gpu::counters().bytes_copied;
  ASSERT_TRUE(maker_->run(image, tensor->bytes.data()).ok());
  const void* in = tensor->bytes.data();
  void* out = result->bytes.data();
  ASSERT_TRUE(session->run({&in, 1}, {&out, 1}).ok());
  EXPECT_EQ(gpu::counters().bytes_copied, before);
  EXPECT_EQ(result->bytes, tensor->bytes);
  EXPECT_LT(errors_of({result->bytes.begin(), result->bytes.end()}, target, image).max, 0.25);
}

// PoCL's device is the host: a camera's frame and a tensor at whole cache lines are used where they lie.
TEST_F(GpuPictures, AFrameIsNotCopiedWhereTheDeviceSharesTheHostsMemory) {
  struct alignas(64) Lines {
    std::array<std::uint8_t, 64 * 60> frame;
    std::array<std::byte, 16 * 16 * 3 * sizeof(float)> tensor;
  };
  const auto lines = std::make_unique<Lines>();
  std::mt19937 random(4);
  for (std::uint8_t& sample : lines->frame) sample = static_cast<std::uint8_t>(random());
  Image image;
  image.type = {PixelFormat::kNv12, 64, 40, {}, 0};
  image.planes[0] = lines->frame.data();
  image.planes[1] = lines->frame.data() + std::size_t{64} * 40;
  image.strides[0] = image.strides[1] = 64;
  Target target;
  target.width = target.height = 16;
  ASSERT_TRUE(maker_->prepare(recipe_of(target, image.type)->recipe).ok());
  const std::uint64_t before = gpu::counters().bytes_copied;
  ASSERT_TRUE(maker_->run(image, lines->tensor.data()).ok());
  EXPECT_EQ(gpu::counters().bytes_copied, before);
  EXPECT_LT(errors_of({lines->tensor.begin(), lines->tensor.end()}, target, image).max, 0.25);
}

TEST_F(GpuPictures, ADeviceOfAnotherNameIsRefused) {
  const auto other = gpu::DevicePictures::open(**gpu::the_api(), "adreno 9999");
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.status().code(), Code::kUnavailable);
  EXPECT_NE(other.status().message().find("no OpenCL device is called 'adreno 9999'"), std::string::npos);
}

}  // namespace
}  // namespace sluice::pixels
