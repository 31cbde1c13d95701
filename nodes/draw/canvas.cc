#include "nodes/draw/canvas.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "nodes/draw/font.h"

namespace sluice {
namespace {

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Red's and blue's part of luma (ITU-R BT.601, BT.709, BT.2020).
std::pair<double, double> luma_parts(ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::kBt601:
      return {0.299, 0.114};
    case ColorMatrix::kBt2020:
      return {0.2627, 0.0593};
    default:
      return {0.2126, 0.0722};
  }
}

std::uint8_t to_sample(double value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

}  // namespace

Canvas::Canvas(Image& image) : image_(image) {}

// From the upright picture to the stored one, which is turned clockwise by `rotation` to stand upright.
Canvas::Rect Canvas::stored(Rect r) const {
  const int w = image_.type.width, h = image_.type.height;
  switch (image_.type.rotation) {
    case 90:
      return {r.y0, h - r.x1, r.y1, h - r.x0};
    case 180:
      return {w - r.x1, h - r.y1, w - r.x0, h - r.y0};
    case 270:
      return {w - r.y1, r.x0, w - r.y0, r.x1};
    default:
      return r;
  }
}

std::array<std::uint8_t, 3> Canvas::samples_of(Color c) const {
  if (image_.type.format == PixelFormat::kRgb) return {c.red, c.green, c.blue};
  if (image_.type.format == PixelFormat::kBgr) return {c.blue, c.green, c.red};
  const ColorSpace space = image_.type.color.resolved(image_.type.height);
  const auto [red_part, blue_part] = luma_parts(space.matrix);
  const double luma = red_part * c.red + (1 - red_part - blue_part) * c.green + blue_part * c.blue;
  // Gray pictures are full range unless they say otherwise.
  if (image_.type.format == PixelFormat::kGray && image_.type.color.range != ColorRange::kLimited) {
    return {to_sample(luma)};
  }
  const double u = (c.blue - luma) / (2 * (1 - blue_part));
  const double v = (c.red - luma) / (2 * (1 - red_part));
  if (space.range == ColorRange::kFull) return {to_sample(luma), to_sample(u + 128), to_sample(v + 128)};
  return {to_sample(16 + luma * 219 / 255), to_sample(128 + u * 224 / 255), to_sample(128 + v * 224 / 255)};
}

void Canvas::fill(int x0, int y0, int x1, int y1, Color color) {
  x0 = std::max(x0, 0), y0 = std::max(y0, 0);
  x1 = std::min(x1, width()), y1 = std::min(y1, height());
  if (x0 >= x1 || y0 >= y1) return;
  const Rect rect = stored({x0, y0, x1, y1});
  const std::array<std::uint8_t, 3> samples = samples_of(color);
  for (int plane = 0; plane < plane_count(image_.type.format); ++plane) fill_plane(plane, rect, samples);
}

void Canvas::fill_plane(int plane, Rect r, const std::array<std::uint8_t, 3>& samples) {
  const PlaneSize size = plane_size(image_.type, plane);
  const int step_x = size.width < image_.type.width ? 2 : 1;
  const int step_y = size.height < image_.type.height ? 2 : 1;
  const int x0 = r.x0 / step_x, x1 = (r.x1 + step_x - 1) / step_x;
  const int y0 = r.y0 / step_y, y1 = (r.y1 + step_y - 1) / step_y;
  const auto index = static_cast<std::size_t>(plane);
  // Interleaved bytes: packed pixels hold all three samples, NV12's second plane the last two.
  const std::uint8_t* values = samples.data() + plane;
  const std::size_t bytes = static_cast<std::size_t>(size.bytes_per_sample);
  for (int y = y0; y < y1; ++y) {
    std::uint8_t* row = image_.planes[index] + y * image_.strides[index];
    if (bytes == 1) {
      std::memset(row + x0, values[0], static_cast<std::size_t>(x1 - x0));
      continue;
    }
    for (int x = x0; x < x1; ++x) std::memcpy(row + static_cast<std::size_t>(x) * bytes, values, bytes);
  }
}

void Canvas::frame(int x0, int y0, int x1, int y1, int thickness, Color color) {
  const int outside = thickness / 2, inside = thickness - outside;
  fill(x0 - outside, y0 - outside, x1 + outside, y0 + inside, color);
  fill(x0 - outside, y1 - inside, x1 + outside, y1 + outside, color);
  fill(x0 - outside, y0 + inside, x0 + inside, y1 - inside, color);
  fill(x1 - inside, y0 + inside, x1 + outside, y1 - inside, color);
}

void Canvas::line(Point from, Point to, int thickness, Color color) {
  // Squares along the line, one per pixel of its longer extent; what lies far outside is cut off first.
  const float far = 2.0F * static_cast<float>(std::max(width(), height()));
  const auto near = [far](float v) { return std::isfinite(v) ? std::clamp(v, -far, far) : far; };
  const float x0 = near(from.x), y0 = near(from.y), dx = near(to.x) - x0, dy = near(to.y) - y0;
  const int steps = static_cast<int>(std::ceil(std::max(std::abs(dx), std::abs(dy))));
  const int before = thickness / 2;
  for (int i = 0; i <= steps; ++i) {
    const float t = steps == 0 ? 0 : static_cast<float>(i) / static_cast<float>(steps);
    const int x = static_cast<int>(std::lround(x0 + t * dx)) - before;
    const int y = static_cast<int>(std::lround(y0 + t * dy)) - before;
    fill(x, y, x + thickness, y + thickness, color);
  }
}

void Canvas::text(int x, int y, std::string_view words, int dot, Color color) {
  for (const char c : words) {
    if (continues_character(c)) continue;
    const auto& columns = glyph(c);
    for (int column = 0; column < kGlyphWidth; ++column) {
      for (int row = 0; row < kGlyphHeight; ++row) {
        if ((columns[static_cast<std::size_t>(column)] >> row & 1) == 0) continue;
        const int left = x + column * dot, top = y + row * dot;
        fill(left, top, left + dot, top + dot, color);
      }
    }
    x += kGlyphAdvance * dot;
  }
}

int text_width(std::string_view words, int dot) {
  const auto characters =
      static_cast<int>(words.size() - static_cast<std::size_t>(
                                          std::count_if(words.begin(), words.end(), continues_character)));
  return characters == 0 ? 0 : (characters * kGlyphAdvance - 1) * dot;
}

}  // namespace sluice
