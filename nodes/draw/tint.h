// Tints what a mask covers, straight in the planes of a picture, whatever its format and rotation.
#pragma once

#include <span>

#include "framework/core/results.h"
#include "nodes/draw/canvas.h"

namespace sluice {

// Every sample whose centre lies on a covered value of the mask's grid (the nearest one) goes half-way to the
// colour of its class: for a label map palette[value % size], but for `masks.background` and kNothing; for an
// instance palette[label % size]. A mask whose values are fewer than its grid, or whose geometry cannot be
// inverted, changes nothing. No allocation; one thread.
void tint(Image& image, const Masks& masks, const Mask& mask, std::span<const Color> palette);

}  // namespace sluice
