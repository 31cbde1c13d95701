#include "nodes/draw/tint.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace sluice {
namespace {

constexpr int kFraction = 32;  // bits, of positions in the grid
// Grids are far smaller than both: so far out nothing is covered, and no sum of a row's steps overflows.
constexpr double kFarthest = 1e8, kLargestStep = 1e4;

// (x, y) -> (xx x + xy y + x0, yx x + yy y + y0)
struct Affine {
  double xx = 1, xy = 0, x0 = 0, yx = 0, yy = 1, y0 = 0;
};

Affine after(const Affine& second, const Affine& first) {
  return {second.xx * first.xx + second.xy * first.yx,
          second.xx * first.xy + second.xy * first.yy,
          second.xx * first.x0 + second.xy * first.y0 + second.x0,
          second.yx * first.xx + second.yy * first.yx,
          second.yx * first.xy + second.yy * first.yy,
          second.yx * first.x0 + second.yy * first.y0 + second.y0};
}

std::optional<Affine> source_to_grid(const Geometry& g) {
  const double det = g.xx * g.yy - g.xy * g.yx;
  if (!std::isfinite(det) || std::abs(det) < 1e-12) return std::nullopt;
  return Affine{g.yy / det,  -g.xy / det, (g.xy * g.y0 - g.yy * g.x0) / det,
                -g.yx / det, g.xx / det,  (g.yx * g.x0 - g.xx * g.y0) / det};
}

// From the stored picture, which is turned clockwise by `rotation` to stand upright.
Affine stored_to_upright(const ImageType& type) {
  const double w = type.width, h = type.height;
  switch (type.rotation) {
    case 90:
      return {0, -1, h, 1, 0, 0};
    case 180:
      return {-1, 0, w, 0, -1, h};
    case 270:
      return {0, 1, 0, -1, 0, w};
    default:
      return {};
  }
}

std::int64_t to_fixed(double v, double most) {
  if (!(std::abs(v) <= most)) v = std::signbit(v) ? -most : most;  // NaN too
  return std::llround(v * static_cast<double>(std::int64_t{1} << kFraction));
}

// Which samples of the palette a value of the grid takes; null: none.
using Samples = std::array<std::uint8_t, 3>;
using Table = std::array<const Samples*, 256>;

Table table_of(const Masks& masks, const Mask& mask, std::span<const Samples> palette) {
  Table table{};
  for (std::size_t v = 0; v < table.size(); ++v) {
    const bool map = masks.kind == Masks::Kind::kLabelMap;
    const bool covered =
        map ? static_cast<int>(v) != masks.background && v != Masks::kNothing : v >= Masks::kCovered;
    const std::size_t index = map ? v : static_cast<std::size_t>(std::max(mask.label, 0));
    if (covered) table[v] = &palette[index % palette.size()];
  }
  return table;
}

void tint_plane(Image& image, int plane, const Mask& mask, const Affine& to_grid, const Table& table) {
  const PlaneSize size = plane_size(image.type, plane);
  const double step_x = size.width < image.type.width ? 2 : 1;
  const double step_y = size.height < image.type.height ? 2 : 1;
  // Centres of this plane's samples.
  const Affine grid = after(to_grid, {step_x, 0, step_x / 2, 0, step_y, step_y / 2});
  const auto p = static_cast<std::size_t>(plane);
  const auto bytes = static_cast<std::size_t>(size.bytes_per_sample);
  const std::int64_t step_column = to_fixed(grid.xx, kLargestStep);
  const std::int64_t step_row = to_fixed(grid.yx, kLargestStep);
  const auto columns = static_cast<std::uint64_t>(mask.geometry.grid_width);
  const auto rows = static_cast<std::uint64_t>(mask.geometry.grid_height);
  for (int y = 0; y < size.height; ++y) {
    std::uint8_t* sample = image.planes[p] + y * image.strides[p];
    std::int64_t column = to_fixed(grid.xy * y + grid.x0, kFarthest);
    std::int64_t row = to_fixed(grid.yy * y + grid.y0, kFarthest);
    for (int x = 0; x < size.width; ++x, sample += bytes, column += step_column, row += step_row) {
      // What lies left of the grid or above it becomes huge.
      const auto c = static_cast<std::uint64_t>(column >> kFraction);
      const auto r = static_cast<std::uint64_t>(row >> kFraction);
      if (c >= columns || r >= rows) continue;
      const Samples* color = table[mask.values[r * columns + c]];
      if (!color) continue;
      for (std::size_t b = 0; b < bytes; ++b) {
        sample[b] = static_cast<std::uint8_t>((sample[b] + (*color)[p + b] + 1) / 2);
      }
    }
  }
}

}  // namespace

void tint(Image& image, const Masks& masks, const Mask& mask, std::span<const Color> palette) {
  const Geometry& g = mask.geometry;
  const bool whole =
      g.grid_width > 0 && g.grid_height > 0 &&
      mask.values.size() >= static_cast<std::size_t>(g.grid_width) * static_cast<std::size_t>(g.grid_height);
  const auto to_grid = source_to_grid(g);
  if (!whole || !to_grid) return;
  const Canvas canvas(image);
  std::array<Samples, 16> samples;
  const std::size_t colors = std::min(palette.size(), samples.size());
  for (std::size_t i = 0; i < colors; ++i) samples[i] = canvas.samples_of(palette[i]);
  const Table table = table_of(masks, mask, std::span(samples).first(colors));
  const Affine stored_to_grid = after(*to_grid, stored_to_upright(image.type));
  for (int plane = 0; plane < plane_count(image.type.format); ++plane) {
    tint_plane(image, plane, mask, stored_to_grid, table);
  }
}

}  // namespace sluice
