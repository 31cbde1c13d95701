#include "nodes/pixels/transpose.h"

#include <cstring>

namespace sluice::pixels {
namespace {

template <std::size_t kBytes>
void transpose_elements(const LineTile& tile, std::byte* out, std::ptrdiff_t out_stride) {
  for (int i = 0; i < tile.length; ++i) {
    const std::byte* from = tile.lines + i * static_cast<std::ptrdiff_t>(kBytes);
    std::byte* to = out + i * out_stride;
    for (int line = 0; line < tile.count; ++line) {
      std::memcpy(to, from, kBytes);
      from += tile.line_stride;
      to += kBytes;
    }
  }
}

}  // namespace

void transpose(const LineTile& tile, int element_bytes, std::byte* out, std::ptrdiff_t out_stride) {
  switch (element_bytes) {
    case 1:
      return transpose_elements<1>(tile, out, out_stride);
    case 2:
      return transpose_elements<2>(tile, out, out_stride);
    case 3:
      return transpose_elements<3>(tile, out, out_stride);
    case 4:
      return transpose_elements<4>(tile, out, out_stride);
    case 6:
      return transpose_elements<6>(tile, out, out_stride);
    default:
      return transpose_elements<12>(tile, out, out_stride);
  }
}

}  // namespace sluice::pixels
