#include "nodes/video/rotate.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <type_traits>

namespace sluice {
namespace {

struct View {
  std::uint8_t* data;
  std::ptrdiff_t stride;
  int width;
  int height;
};

View view_of(const Image& image, int plane) {
  const PlaneSize size = plane_size(image.type, plane);
  const auto p = static_cast<std::size_t>(plane);
  return {image.planes[p], image.strides[p], size.width, size.height};
}

// Sample (x, y) of the upright plane, found in the stored one.
template <int kBytes>
void turn_plane(const View& from, const View& to, int rotation) {
  constexpr int kTile = 32;  // keeps the rows that a turned column touches in the cache
  for (int top = 0; top < to.height; top += kTile) {
    for (int left = 0; left < to.width; left += kTile) {
      for (int y = top; y < std::min(top + kTile, to.height); ++y) {
        for (int x = left; x < std::min(left + kTile, to.width); ++x) {
          const int sx = rotation == 90 ? y : rotation == 180 ? from.width - 1 - x : from.width - 1 - y;
          const int sy = rotation == 90 ? from.height - 1 - x : rotation == 180 ? from.height - 1 - y : x;
          std::memcpy(to.data + y * to.stride + x * kBytes, from.data + sy * from.stride + sx * kBytes,
                      kBytes);
        }
      }
    }
  }
}

template <int kBytes>
void mirror_plane(const View& plane) {
  using Sample = std::array<std::uint8_t, kBytes>;
  for (int y = 0; y < plane.height; ++y) {
    auto* const row = reinterpret_cast<Sample*>(plane.data + y * plane.stride);
    std::reverse(row, row + plane.width);
  }
}

// Calls `use` with the size of a sample as a constant.
template <typename F>
void with_sample_bytes(const ImageType& type, int plane, F&& use) {
  switch (plane_size(type, plane).bytes_per_sample) {
    case 1:
      return use(std::integral_constant<int, 1>{});
    case 2:
      return use(std::integral_constant<int, 2>{});
    default:
      return use(std::integral_constant<int, 3>{});
  }
}

}  // namespace

ImageType upright_type(const ImageType& type) {
  ImageType out = type;
  out.width = type.upright_width();
  out.height = type.upright_height();
  out.rotation = 0;
  return out;
}

bool can_turn(PixelFormat format) { return format != PixelFormat::kI422; }

void turn(const Image& from, Image& to) {
  for (int p = 0; p < plane_count(from.type.format); ++p) {
    const View source = view_of(from, p);
    const View target = view_of(to, p);
    with_sample_bytes(from.type, p,
                      [&](auto bytes) { turn_plane<bytes>(source, target, from.type.rotation); });
  }
}

void mirror(Image& image) {
  for (int p = 0; p < plane_count(image.type.format); ++p)
    with_sample_bytes(image.type, p, [&](auto bytes) { mirror_plane<bytes>(view_of(image, p)); });
}

}  // namespace sluice
