#include "nodes/video/rotate.h"

#include <algorithm>
#include <cstring>

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
    switch (plane_size(from.type, p).bytes_per_sample) {
      case 1:
        turn_plane<1>(source, target, from.type.rotation);
        break;
      case 2:
        turn_plane<2>(source, target, from.type.rotation);
        break;
      default:
        turn_plane<3>(source, target, from.type.rotation);
        break;
    }
  }
}

}  // namespace sluice
