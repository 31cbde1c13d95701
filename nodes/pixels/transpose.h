// Writes lines of elements as columns: the last step for pictures that are turned by 90 or 270 degrees.
#pragma once

#include <cstddef>

namespace sluice::pixels {

// Element i of line l goes to out + i * out_stride + l * element_bytes (1, 2, 3, 4, 6 or 12). Strides in
// bytes.
struct LineTile {
  const std::byte* lines = nullptr;
  std::ptrdiff_t line_stride = 0;
  int count = 0;   // of lines
  int length = 0;  // elements per line
};
void transpose(const LineTile& tile, int element_bytes, std::byte* out, std::ptrdiff_t out_stride);

}  // namespace sluice::pixels
