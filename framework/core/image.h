// Pictures as they come from a source: pixel format, planes, colour, and the map back to the source frame.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "framework/core/buffer.h"

namespace sluice {

// 8 bits per sample. kI420: Y, U, V planes, chroma halved both ways; kNv12: Y plane and interleaved UV.
// kI422, kI444: planar, chroma halved across only / not at all.
enum class PixelFormat : std::uint8_t { kNone, kNv12, kI420, kI422, kI444, kBgr, kRgb, kGray };
std::string_view name_of(PixelFormat format);  // "nv12", ...
std::optional<PixelFormat> parse_pixel_format(std::string_view name);
int plane_count(PixelFormat format);
bool is_yuv(PixelFormat format);

enum class ColorMatrix : std::uint8_t { kUnspecified, kBt601, kBt709, kBt2020 };
enum class ColorRange : std::uint8_t { kUnspecified, kLimited, kFull };

// What contract section 2 says when the stream does not: BT.709 from 720 lines up, else BT.601; limited
// range.
struct ColorSpace {
  ColorMatrix matrix = ColorMatrix::kUnspecified;
  ColorRange range = ColorRange::kUnspecified;
  ColorSpace resolved(int lines) const;
  bool operator==(const ColorSpace&) const = default;
};

// width and height are those of the stored picture, before `rotation`. rotation: clockwise degrees (0, 90,
// 180, 270) by which the stored picture must be turned to be upright; "source pixels" everywhere else means
// the upright picture.
struct ImageType {
  PixelFormat format = PixelFormat::kNone;
  int width = 0;
  int height = 0;
  ColorSpace color;
  int rotation = 0;
  int upright_width() const { return rotation % 180 == 0 ? width : height; }
  int upright_height() const { return rotation % 180 == 0 ? height : width; }
  bool operator==(const ImageType&) const = default;
};

struct PlaneSize {
  int width = 0;   // samples (for kNv12's second plane: pairs)
  int height = 0;  // rows
  int bytes_per_sample = 1;
};
PlaneSize plane_size(const ImageType& type, int plane);

// A picture: pixels in up to three planes of one buffer (pool-owned, or foreign memory kept alive by the
// buffer).
struct Image {
  ImageType type;
  std::array<std::uint8_t*, 3> planes{};
  std::array<std::ptrdiff_t, 3> strides{};  // bytes per row
  BufferRef buffer;
};

// Bytes of a tightly packed picture with rows aligned to `align`; fails on overflow or sizes
// outside 1..16384.
Result<std::size_t> image_bytes(const ImageType& type, std::size_t align = 64);
// Points the planes of `image` into `buffer` (which holds image_bytes(type, align)).
void lay_out(const ImageType& type, BufferRef buffer, std::size_t align, Image& image);

// Maps points of a tensor's or crop's pixel grid to upright source pixels:
// x_source = xx * x + xy * y + x0, y_source = yx * x + yy * y + y0 (continuous coordinates; pixel centres at
// .5).
struct Geometry {
  double xx = 1, xy = 0, x0 = 0;
  double yx = 0, yy = 1, y0 = 0;
  int grid_width = 0;  // the tensor's or crop's own size
  int grid_height = 0;
  int source_width = 0;  // upright
  int source_height = 0;
};

}  // namespace sluice
