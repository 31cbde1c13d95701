// The work of PictureScaler in numbers, for an accelerator (inference/picture_maker.h).
#pragma once

#include "inference/picture_maker.h"
#include "nodes/pixels/scaler.h"

namespace sluice::pixels {

struct MadeRecipe {
  PictureRecipe recipe;
  Geometry geometry;  // of the tensor
};

// `target` is one that PictureScaler::create takes. kFailed for a picture that cannot be scaled.
Result<MadeRecipe> recipe_of(const Target& target, const ImageType& type);

}  // namespace sluice::pixels
