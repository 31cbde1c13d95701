#include "nodes/pixels/fit.h"

#include <algorithm>

namespace sluice::pixels {
namespace {

AxisFit whole(int source, int target) { return {0, target, 0.0, static_cast<double>(source)}; }

// source * numerator / denominator, rounded half up, within 1..target.
AxisFit letterboxed(int source, std::int64_t numerator, std::int64_t denominator, int target) {
  const std::int64_t rounded = (2 * source * numerator + denominator) / (2 * denominator);
  const int scaled = static_cast<int>(std::clamp<std::int64_t>(rounded, 1, target));
  return {(target - scaled) / 2, scaled, 0.0, static_cast<double>(source)};
}

AxisFit cropped(int source, double length, int target) { return {0, target, (source - length) / 2, length}; }

}  // namespace

PictureFit fit_picture(Fit fit, int source_width, int source_height, int target_width, int target_height) {
  // The source is relatively wider than the grid when width / height > target width / target height.
  const std::int64_t across = std::int64_t{source_width} * target_height;
  const std::int64_t down = std::int64_t{source_height} * target_width;
  if (fit == Fit::kLetterbox && across >= down) {
    return {whole(source_width, target_width),
            letterboxed(source_height, target_width, source_width, target_height)};
  }
  if (fit == Fit::kLetterbox) {
    return {letterboxed(source_width, target_height, source_height, target_width),
            whole(source_height, target_height)};
  }
  if (fit == Fit::kCrop && across >= down) {
    const double length = static_cast<double>(down) / target_height;
    return {cropped(source_width, length, target_width), whole(source_height, target_height)};
  }
  if (fit == Fit::kCrop) {
    const double length = static_cast<double>(across) / target_width;
    return {whole(source_width, target_width), cropped(source_height, length, target_height)};
  }
  return {whole(source_width, target_width), whole(source_height, target_height)};
}

Geometry geometry_of(const PictureFit& fit, int source_width, int source_height, int target_width,
                     int target_height) {
  Geometry g;
  g.xx = fit.x.length / fit.x.scaled;
  g.x0 = fit.x.start - fit.x.offset * g.xx;
  g.yy = fit.y.length / fit.y.scaled;
  g.y0 = fit.y.start - fit.y.offset * g.yy;
  g.grid_width = target_width;
  g.grid_height = target_height;
  g.source_width = source_width;
  g.source_height = source_height;
  return g;
}

}  // namespace sluice::pixels
