// Coefficients of the conversions between YUV, RGB and luma, from the matrices of ITU-R BT.601, BT.709 and
// BT.2020.
#pragma once

#include "framework/core/image.h"
#include "nodes/pixels/kernels.h"

namespace sluice::pixels {

// `space` is resolved (no kUnspecified left). Limited range: Y 16..235, U and V 16..240; full: 0..255.
YuvCoefficients yuv_coefficients(const ColorSpace& space);
GrayWeights gray_weights(ColorMatrix matrix);

}  // namespace sluice::pixels
