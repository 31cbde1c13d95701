// Where a stored picture lies on a tensor's grid once its rotation is applied.
#pragma once

#include "framework/core/image.h"
#include "framework/core/status.h"
#include "nodes/pixels/fit.h"

namespace sluice::pixels {

constexpr int kMaxSide = 16384;  // pixels

// An axis of the stored picture: how it meets the grid, and whether it runs against the upright one.
struct StoredAxis {
  AxisFit fit;
  bool mirrored = false;
};

struct Placement {
  bool turned = false;  // by 90 or 270 degrees: stored rows run along the grid's columns
  StoredAxis along;     // within a stored row
  StoredAxis across;    // from row to row
  PictureFit fit;       // in upright pixels
  Geometry geometry;
};

// kFailed for a picture without planes, of an impossible size or rotation. The grid's sides are 1..kMaxSide.
Result<Placement> place_picture(Fit fit, const ImageType& type, int grid_width, int grid_height);

}  // namespace sluice::pixels
