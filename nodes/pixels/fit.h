// Where a picture lands on a tensor's grid (contract section 2, Pixels): stretch, letterbox or crop, per
// axis.
#pragma once

#include <cstdint>

#include "framework/core/image.h"

namespace sluice::pixels {

enum class Fit : std::uint8_t {
  kStretch,    // the whole picture over the whole grid; the aspect is lost
  kLetterbox,  // the whole picture, centred, in the largest rectangle of its aspect; the rest is padding
  kCrop,       // the centred rectangle of the grid's aspect over the whole grid
};

// One axis, in pixels of the upright source. Grid cells offset .. offset + scaled - 1 hold picture; the
// centre of cell i lies at start + (i - offset + 0.5) * length / scaled. The others are padding.
struct AxisFit {
  int offset = 0;
  int scaled = 0;
  double start = 0;
  double length = 0;
};

struct PictureFit {
  AxisFit x, y;
};

// All sizes >= 1. Letterbox: scaled = round half up(source * scale), at least 1; offset = floor((target -
// scaled) / 2). The rectangle of crop is not rounded to whole pixels.
PictureFit fit_picture(Fit fit, int source_width, int source_height, int target_width, int target_height);

// The map from grid points back to upright source pixels.
Geometry geometry_of(const PictureFit& fit, int source_width, int source_height, int target_width,
                     int target_height);

}  // namespace sluice::pixels
