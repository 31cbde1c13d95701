#include "nodes/pixels/placement.h"

#include <fmt/format.h>

namespace sluice::pixels {
namespace {

Status check_picture(const ImageType& type) {
  const bool possible =
      type.width >= 1 && type.height >= 1 && type.width <= kMaxSide && type.height <= kMaxSide;
  if (possible && plane_count(type.format) > 0 && type.rotation % 90 == 0) return {};
  return failed(fmt::format(
      "a picture of {}x{} pixels, format {}, rotation {} cannot be scaled; allowed: 1..{} pixels a "
      "side, rotation 0, 90, 180, 270",
      type.width, type.height, name_of(type.format), type.rotation, kMaxSide));
}

}  // namespace

Result<Placement> place_picture(Fit fit, const ImageType& type, int grid_width, int grid_height) {
  SLUICE_RETURN_IF_ERROR(check_picture(type));
  const int rotation = (type.rotation % 360 + 360) % 360;
  const int width = type.upright_width();
  const int height = type.upright_height();
  Placement out;
  out.turned = rotation % 180 != 0;
  out.fit = fit_picture(fit, width, height, grid_width, grid_height);
  out.geometry = geometry_of(out.fit, width, height, grid_width, grid_height);
  // Stored rows run along the upright y axis when turned; which axes run backwards follows from
  // 90: X = height - y, Y = x; 180: X = width - x, Y = height - y; 270: X = y, Y = width - x (x, y: stored).
  out.along = {out.turned ? out.fit.y : out.fit.x, rotation == 180 || rotation == 270};
  out.across = {out.turned ? out.fit.x : out.fit.y, rotation == 90 || rotation == 180};
  return out;
}

}  // namespace sluice::pixels
