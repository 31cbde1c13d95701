#include "nodes/pixels/color.h"

#include <cmath>

namespace sluice::pixels {
namespace {

constexpr double kUnit = 1 << 13;

// Shares of red and blue in luma.
struct Primaries {
  double red, blue;
};

Primaries primaries_of(ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::kBt709:
      return {0.2126, 0.0722};
    case ColorMatrix::kBt2020:
      return {0.2627, 0.0593};
    default:
      return {0.299, 0.114};
  }
}

std::int16_t fixed(double value) { return static_cast<std::int16_t>(std::lround(value * kUnit)); }

}  // namespace

YuvCoefficients yuv_coefficients(const ColorSpace& space) {
  const Primaries k = primaries_of(space.matrix);
  const bool limited = space.range != ColorRange::kFull;
  const double green = 1 - k.red - k.blue;
  const double chroma_gain = limited ? 255.0 / 224.0 : 1.0;
  const double rv = 2 * (1 - k.red) * chroma_gain;
  const double bu = 2 * (1 - k.blue) * chroma_gain;
  YuvCoefficients c;
  c.y_offset = static_cast<std::int16_t>(limited ? 16 * kFraction : 0);
  c.y_gain = fixed(limited ? 255.0 / 219.0 : 1.0);
  c.rv = fixed(rv);
  c.gu = fixed(bu * k.blue / green);
  c.gv = fixed(rv * k.red / green);
  c.bu = fixed(bu);
  return c;
}

GrayWeights gray_weights(ColorMatrix matrix) {
  const Primaries k = primaries_of(matrix);
  GrayWeights w;
  w.r = fixed(k.red);
  w.b = fixed(k.blue);
  w.g = static_cast<std::int16_t>(kUnit - w.r - w.b);
  return w;
}

}  // namespace sluice::pixels
