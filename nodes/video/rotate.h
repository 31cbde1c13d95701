// Turns pictures upright, for files that cannot say how they must be turned.
#pragma once

#include "framework/core/image.h"

namespace sluice {

// The type of such a picture once it is upright: sides swapped for quarter turns, rotation 0.
ImageType upright_type(const ImageType& type);
// Whether `turn` knows the format: all but kI422, whose chroma is not symmetric.
bool can_turn(PixelFormat format);
// Writes `from`, turned clockwise by from.type.rotation, into `to`, laid out as upright_type(from.type).
void turn(const Image& from, Image& to);

}  // namespace sluice
