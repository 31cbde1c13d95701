#include "nodes/pixels/recipe.h"

#include "nodes/pixels/color.h"

namespace sluice::pixels {
namespace {

using Row = std::array<float, 4>;

constexpr float kUnit = 1 << 13;  // of the coefficients in kernels.h

std::vector<PictureTap> device_taps(const StoredAxis& axis, int extent, int samples) {
  std::vector<PictureTap> out;
  for (const Tap& tap : axis_taps(axis.fit, extent, samples, axis.mirrored))
    out.push_back({tap.first, static_cast<float>(tap.weight)});
  return out;
}

void add_planes(const ImageType& type, const Placement& place, PictureRecipe& out) {
  for (int p = 0; p < out.plane_count; ++p) {
    const PlaneSize size = plane_size(type, p);
    PictureRecipe::Plane& plane = out.planes[static_cast<std::size_t>(p)];
    plane.row_bytes = size.width * size.bytes_per_sample;
    plane.rows = size.height;
    plane.along = device_taps(place.along, type.width, size.width);
    plane.across = device_taps(place.across, type.height, size.height);
  }
}

// y' = (Y - offset) * gain; R = y' + rv V, G = y' - gu U - gv V, B = y' + bu U, U and V about 128.
std::array<Row, 3> yuv_rows(const YuvCoefficients& c) {
  const float gain = c.y_gain / kUnit;
  const float black = -gain * c.y_offset / kFraction;
  const float rv = c.rv / kUnit, gu = c.gu / kUnit, gv = c.gv / kUnit, bu = c.bu / kUnit;
  return {Row{gain, 0, rv, black - 128 * rv}, Row{gain, -gu, -gv, black + 128 * (gu + gv)},
          Row{gain, bu, 0, black - 128 * bu}};
}

void add_colors(const Target& target, const ImageType& type, PictureRecipe& out) {
  const bool gray = target.color == Color::kGray;
  const ColorSpace space = type.color.resolved(type.height);
  std::array<Row, 3> rgb = {Row{1, 0, 0, 0}, Row{0, 1, 0, 0}, Row{0, 0, 1, 0}};
  Row luma = {1, 0, 0, 0};
  if (type.format == PixelFormat::kGray) {
    rgb = {luma, luma, luma};
  } else if (is_yuv(type.format)) {
    const YuvCoefficients c = yuv_coefficients(space);
    rgb = yuv_rows(c);
    luma = {c.y_gain / kUnit, 0, 0, -c.y_gain / kUnit * c.y_offset / kFraction};
  } else {
    const GrayWeights w = gray_weights(space.matrix);
    luma = {w.r / kUnit, w.g / kUnit, w.b / kUnit, 0};
  }
  if (target.color == Color::kBgr) std::swap(rgb[0], rgb[2]);
  out.color = gray ? std::array<Row, 3>{luma, luma, luma} : rgb;
}

// The components are Y, U and V; R, G and B; or gray alone.
void add_components(const Target& target, PixelFormat format, PictureRecipe& out) {
  const bool one = format == PixelFormat::kGray || (is_yuv(format) && target.color == Color::kGray);
  out.component_count = one ? 1 : 3;
  out.plane_count = one ? 1 : plane_count(format);
  auto& c = out.components;
  if (one) {
    c[0] = {0, 0, 1};
  } else if (format == PixelFormat::kNv12) {
    c = {{{0, 0, 1}, {1, 0, 2}, {1, 1, 2}}};
  } else if (is_yuv(format)) {
    c = {{{0, 0, 1}, {1, 0, 1}, {2, 0, 1}}};
  } else {
    const int red = format == PixelFormat::kBgr ? 2 : 0;
    c = {{{0, red, 3}, {0, 1, 3}, {0, 2 - red, 3}}};
  }
}

PictureRecipe::Element element_of(const Target& target, std::size_t channel) {
  const auto range = integer_range(target.dtype);
  double scale = 1;
  PictureRecipe::Element out;
  if (range && target.quant) {
    const std::size_t i = target.quant->scale.size() > 1 ? channel : 0;
    scale = static_cast<double>(target.quant->scale[i]);
    out.zero_point = target.quant->zero_point[i];
  }
  out.scale = static_cast<float>(1 / (target.std[channel] * scale));
  out.bias = static_cast<float>(-target.mean[channel] / (target.std[channel] * scale));
  if (range) {
    out.low = static_cast<float>(range->low - out.zero_point);
    out.high = static_cast<float>(range->high - out.zero_point);
  }
  return out;
}

}  // namespace

Result<MadeRecipe> recipe_of(const Target& target, const ImageType& type) {
  SLUICE_ASSIGN(const Placement place, place_picture(target.fit, type, target.width, target.height));
  MadeRecipe made;
  made.geometry = place.geometry;
  PictureRecipe& out = made.recipe;
  out.width = target.width;
  out.height = target.height;
  out.channels = target.channels();
  out.interleaved = target.layout == Layout::kNhwc;
  out.dtype = target.dtype;
  out.left = place.fit.x.offset;
  out.top = place.fit.y.offset;
  out.columns = place.fit.x.scaled;
  out.rows = place.fit.y.scaled;
  out.pad = static_cast<float>(target.pad_value);
  out.turned = place.turned;
  add_components(target, type.format, out);
  add_planes(type, place, out);
  add_colors(target, type, out);
  for (std::size_t c = 0; c < out.elements.size(); ++c) out.elements[c] = element_of(target, c);
  return made;
}

}  // namespace sluice::pixels
