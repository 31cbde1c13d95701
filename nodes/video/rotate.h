// Turns and mirrors the pixels of pictures, for files that cannot say how they must be shown and for pictures
// whose mirroring no type of ours can say.
#pragma once

#include "framework/core/image.h"

namespace sluice {

// The type of such a picture once it is upright: sides swapped for quarter turns, rotation 0.
ImageType upright_type(const ImageType& type);
// Whether `turn` knows the format: all but kI422, whose chroma is not symmetric.
bool can_turn(PixelFormat format);
// Writes `from`, turned clockwise by from.type.rotation, into `to`, laid out as upright_type(from.type).
void turn(const Image& from, Image& to);
// Swaps left and right where the picture lies. Nobody else reads it.
void mirror(Image& image);

}  // namespace sluice
