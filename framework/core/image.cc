#include "framework/core/image.h"

#include <fmt/format.h>

namespace sluice {
namespace {

constexpr int kMaxSide = 16384;

struct FormatInfo {
  PixelFormat format;
  std::string_view name;
  int planes;
  int chroma_x;  // horizontal subsampling of planes 1 and 2
  int chroma_y;
  int bytes0;  // per sample of plane 0
  int bytes1;  // per sample of the others
};
constexpr FormatInfo kFormats[] = {
    {PixelFormat::kNone, "none", 0, 1, 1, 0, 0}, {PixelFormat::kNv12, "nv12", 2, 2, 2, 1, 2},
    {PixelFormat::kI420, "i420", 3, 2, 2, 1, 1}, {PixelFormat::kI422, "i422", 3, 2, 1, 1, 1},
    {PixelFormat::kI444, "i444", 3, 1, 1, 1, 1}, {PixelFormat::kBgr, "bgr", 1, 1, 1, 3, 0},
    {PixelFormat::kRgb, "rgb", 1, 1, 1, 3, 0},   {PixelFormat::kGray, "gray", 1, 1, 1, 1, 0},
};

const FormatInfo& info_of(PixelFormat format) { return kFormats[static_cast<std::size_t>(format)]; }

std::size_t row_bytes(const ImageType& type, int plane, std::size_t align) {
  const PlaneSize size = plane_size(type, plane);
  const std::size_t bytes =
      static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.bytes_per_sample);
  return (bytes + align - 1) / align * align;
}

}  // namespace

std::string_view name_of(PixelFormat format) { return info_of(format).name; }

std::optional<PixelFormat> parse_pixel_format(std::string_view name) {
  for (const auto& f : kFormats) {
    if (f.name == name && f.format != PixelFormat::kNone) return f.format;
  }
  return std::nullopt;
}

int plane_count(PixelFormat format) { return info_of(format).planes; }
bool is_yuv(PixelFormat format) { return info_of(format).planes > 1; }

ColorSpace ColorSpace::resolved(int lines) const {
  ColorSpace out = *this;
  if (out.matrix == ColorMatrix::kUnspecified)
    out.matrix = lines >= 720 ? ColorMatrix::kBt709 : ColorMatrix::kBt601;
  if (out.range == ColorRange::kUnspecified) out.range = ColorRange::kLimited;
  return out;
}

PlaneSize plane_size(const ImageType& type, int plane) {
  const FormatInfo& f = info_of(type.format);
  if (plane == 0) return {type.width, type.height, f.bytes0};
  return {(type.width + f.chroma_x - 1) / f.chroma_x, (type.height + f.chroma_y - 1) / f.chroma_y, f.bytes1};
}

Result<std::size_t> image_bytes(const ImageType& type, std::size_t align) {
  if (type.width < 1 || type.height < 1 || type.width > kMaxSide || type.height > kMaxSide) {
    return invalid(
        fmt::format("a picture of {}x{} pixels is outside 1..{}", type.width, type.height, kMaxSide));
  }
  std::size_t total = 0;
  for (int p = 0; p < plane_count(type.format); ++p) {
    total += row_bytes(type, p, align) * static_cast<std::size_t>(plane_size(type, p).height);
  }
  return total;
}

void lay_out(const ImageType& type, BufferRef buffer, std::size_t align, Image& image) {
  image.type = type;
  auto* at = reinterpret_cast<std::uint8_t*>(buffer.data());
  image.planes = {};
  image.strides = {};
  for (int p = 0; p < plane_count(type.format); ++p) {
    const auto plane = static_cast<std::size_t>(p);
    const std::size_t stride = row_bytes(type, p, align);
    image.planes[plane] = at;
    image.strides[plane] = static_cast<std::ptrdiff_t>(stride);
    at += stride * static_cast<std::size_t>(plane_size(type, p).height);
  }
  image.buffer = std::move(buffer);
}

}  // namespace sluice
