#include "nodes/test_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

namespace sluice {
namespace {

constexpr int kMinSide = 64;  // a bit of the clock needs two pixels
constexpr int kWidth = 1280;
constexpr int kHeight = 720;
constexpr std::uint8_t kBlack = 16;
constexpr std::uint8_t kWhite = 235;
constexpr std::uint8_t kDark = 48;
constexpr std::uint8_t kNeutral = 128;

struct Yuv {
  std::uint8_t y, u, v;
};
// 75 % bars of ITU-R BT.709, limited range: white, yellow, cyan, green, magenta, red, blue, black.
constexpr std::array<Yuv, 8> kBars = {{{180, 128, 128},
                                       {168, 44, 136},
                                       {145, 147, 44},
                                       {133, 63, 52},
                                       {63, 193, 204},
                                       {51, 109, 212},
                                       {28, 212, 120},
                                       {16, 128, 128}}};

void fill_rectangle(Image& image, const ClockCell& cell, std::uint8_t luma) {
  for (int y = cell.y; y < cell.y + cell.height; ++y) {
    std::memset(image.planes[0] + y * image.strides[0] + cell.x, luma, static_cast<std::size_t>(cell.width));
  }
}

void fill_chroma(Image& image, std::uint8_t value) {
  const PlaneSize size = plane_size(image.type, 1);
  for (int y = 0; y < size.height; ++y) {
    std::memset(image.planes[1] + y * image.strides[1], value, static_cast<std::size_t>(size.width) * 2);
  }
}

// Repeats a plane's row `first` down to row `end`.
void repeat_row(Image& image, std::size_t plane, int first, int end) {
  const auto bytes = static_cast<std::size_t>(image.type.width);  // NV12: rows of both planes are as long
  const std::uint8_t* row = image.planes[plane] + first * image.strides[plane];
  for (int y = first + 1; y < end; ++y)
    std::memcpy(image.planes[plane] + y * image.strides[plane], row, bytes);
}

void draw_bars(Image& image, std::uint64_t number) {
  const int width = image.type.width;
  const int height = image.type.height;
  const int ramp = height / 8 * 6;  // even: chroma changes with luma
  std::uint8_t* bars = image.planes[0];
  std::uint8_t* grey = image.planes[0] + ramp * image.strides[0];
  std::uint8_t* chroma = image.planes[1];
  for (int x = 0; x < width; ++x) {
    const Yuv& bar = kBars[static_cast<std::size_t>(x * 8 / width)];
    bars[x] = bar.y;
    grey[x] = static_cast<std::uint8_t>(kBlack + x * (kWhite - kBlack) / width);
    chroma[x] = x % 2 == 0 ? bar.u : kBars[static_cast<std::size_t>((x - 1) * 8 / width)].v;
  }
  std::memset(chroma + ramp / 2 * image.strides[1], kNeutral, static_cast<std::size_t>(width));
  repeat_row(image, 0, 0, ramp);
  repeat_row(image, 0, ramp, height);
  repeat_row(image, 1, 0, ramp / 2);
  repeat_row(image, 1, ramp / 2, height / 2);
  const int line = static_cast<int>(number % static_cast<std::uint64_t>(width / 2)) * 2;
  fill_rectangle(image, {line, 0, 2, height}, kWhite);
}

// xorshift64*: Vigna, "An experimental exploration of Marsaglia's xorshift generators, scrambled" (2016).
std::uint64_t next_random(std::uint64_t& state) {
  state ^= state >> 12;
  state ^= state << 25;
  state ^= state >> 27;
  return state * 0x2545F4914F6CDD1Dull;
}

void draw_noise(Image& image, std::uint64_t number) {
  std::uint64_t state = (number + 1) * 0x9E3779B97F4A7C15ull;
  for (int p = 0; p < 2; ++p) {
    const PlaneSize size = plane_size(image.type, p);
    const auto bytes = static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.bytes_per_sample);
    for (int y = 0; y < size.height; ++y) {
      std::uint8_t* row =
          image.planes[static_cast<std::size_t>(p)] + y * image.strides[static_cast<std::size_t>(p)];
      for (std::size_t x = 0; x < bytes; x += 8) {
        // 64..191: inside the limited range of luma and chroma alike.
        const std::uint64_t random = (next_random(state) & 0x7F7F7F7F7F7F7F7Full) + 0x4040404040404040ull;
        std::memcpy(row + x, &random, std::min<std::size_t>(8, bytes - x));
      }
    }
  }
}

void draw_clock(Image& image, std::uint64_t number, TimeNs media_time) {
  fill_rectangle(image, {0, 0, image.type.width, image.type.height}, kDark);
  fill_chroma(image, kNeutral);
  const std::array<std::uint64_t, 2> rows = {number, static_cast<std::uint64_t>(media_time / 1'000'000)};
  for (int row = 0; row < 2; ++row) {
    for (int bit = 0; bit < kClockBits; ++bit) {
      const bool set = rows[static_cast<std::size_t>(row)] >> (kClockBits - 1 - bit) & 1;
      fill_rectangle(image, clock_cell(image.type.width, image.type.height, row, bit), set ? kWhite : kBlack);
    }
  }
}

std::int64_t side_of(const Options& options, const char* name, std::int64_t otherwise) {
  return options.has(name) ? options.integer(name) : otherwise;
}

void check_side(std::string_view pattern, const Options& options, const char* name, std::int64_t otherwise,
                const RefuseOption& refuse) {
  const std::int64_t side = side_of(options, name, otherwise);
  const std::string most_name = std::string("max_") + name;
  if (!options.has(most_name)) return;
  const std::int64_t most = options.integer(most_name);
  if (side >= kMinSide && side % 2 == 0 && side <= most) return;
  refuse(name, invalid(fmt::format("option '{}' is {}, allowed for test:{}: even numbers from {} to {} ({})",
                                   name, side, pattern, kMinSide, most, most_name)));
}

class TestPattern final : public SourceNode {
 public:
  explicit TestPattern(std::string_view pattern) : pattern_(pattern) {}

  Result<SourceInfo> probe(const OpenContext& context) override {
    const Options& o = *context.options;
    Status refused;
    check_test_pattern(pattern_, o, [&](std::string_view, const Status& why) { refused = why; });
    SLUICE_RETURN_IF_ERROR(refused);
    const std::int64_t width = side_of(o, "width", kWidth), height = side_of(o, "height", kHeight);
    info_.only_computes = true;
    info_.fps = o.has("fps") ? o.number("fps") : 30.0;
    info_.type = {PixelFormat::kNv12,
                  static_cast<int>(width),
                  static_cast<int>(height),
                  {ColorMatrix::kBt709, ColorRange::kLimited},
                  0};
    SLUICE_ASSIGN(info_.buffer_bytes, image_bytes(info_.type));
    return info_;
  }

  Result<Capture> next(SourceContext& context) override {
    if (interrupted_.load(std::memory_order_relaxed) || context.stopping())
      return cancelled("the test pattern was stopped");
    Capture capture;
    capture.captured = context.clock().now();
    capture.media_time = static_cast<TimeNs>(std::llround(static_cast<double>(number_) * 1e9 / info_.fps));
    const std::uint64_t number = number_++;  // a frame that finds no buffer is one too
    SLUICE_ASSIGN(capture.packet, context.make_image(info_.type));
    Image& image = *capture.packet.edit<Image>();
    if (pattern_ == "bars") draw_bars(image, number);
    if (pattern_ == "noise") draw_noise(image, number);
    if (pattern_ == "clock") draw_clock(image, number, capture.media_time);
    return capture;
  }

  void interrupt() override { interrupted_.store(true, std::memory_order_relaxed); }

 private:
  std::string pattern_;
  SourceInfo info_;
  std::uint64_t number_ = 0;
  std::atomic<bool> interrupted_{false};
};

}  // namespace

ClockCell clock_cell(int picture_width, int picture_height, int row, int bit) {
  const int pitch = picture_width / kClockBits;
  const int height = picture_height / 8;
  const int left = (picture_width - pitch * kClockBits) / 2;
  return {left + bit * pitch, height * (row == 0 ? 2 : 5), std::max(1, pitch * 3 / 4), height};
}

void check_test_pattern(std::string_view pattern, const Options& options, const RefuseOption& refuse) {
  check_side(pattern, options, "width", kWidth, refuse);
  check_side(pattern, options, "height", kHeight, refuse);
}

std::unique_ptr<SourceNode> make_test_pattern(std::string_view pattern) {
  return std::make_unique<TestPattern>(pattern);
}

}  // namespace sluice
