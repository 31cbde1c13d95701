// The contract's definition of `preprocess` (section 2, Pixels), one pixel at a time in float64. Shares
// nothing with the product's pixel engine.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "framework/core/image.h"

namespace sluice::testing {

struct ReferenceTarget {
  enum class Fit { kStretch, kLetterbox, kCrop } fit = Fit::kStretch;
  enum class Color { kRgb, kBgr, kGray } color = Color::kRgb;
  int width = 0;
  int height = 0;
  double pad_value = 0;
};

// Pixel values 0..255 (not yet normalised) per channel, height x width x channels.
class Reference {
 public:
  Reference(const Image& image, const ReferenceTarget& target) : image_(image), target_(target) {
    width_ = image.type.upright_width();
    height_ = image.type.upright_height();
    place();
  }

  int channels() const { return target_.color == ReferenceTarget::Color::kGray ? 1 : 3; }

  std::array<double, 3> pixel(int tx, int ty) const {
    const double cell_x = tx - offset_x_;
    const double cell_y = ty - offset_y_;
    if (cell_x < 0 || cell_y < 0 || cell_x >= scaled_x_ || cell_y >= scaled_y_) {
      return {target_.pad_value, target_.pad_value, target_.pad_value};
    }
    const double x = rect_x_ + (cell_x + 0.5) * rect_width_ / scaled_x_;
    const double y = rect_y_ + (cell_y + 0.5) * rect_height_ / scaled_y_;
    switch (image_.type.rotation) {
      case 90:
        return color_at(y, width_ - x);
      case 180:
        return color_at(width_ - x, height_ - y);
      case 270:
        return color_at(height_ - y, x);
      default:
        return color_at(x, y);
    }
  }

 private:
  void place() {
    rect_width_ = width_;
    rect_height_ = height_;
    scaled_x_ = target_.width;
    scaled_y_ = target_.height;
    const double scale_x = static_cast<double>(target_.width) / width_;
    const double scale_y = static_cast<double>(target_.height) / height_;
    if (target_.fit == ReferenceTarget::Fit::kLetterbox) {
      const bool by_width =
          static_cast<long>(target_.width) * height_ <= static_cast<long>(target_.height) * width_;
      // Round half up, in whole numbers: floor((2 n + d) / 2 d).
      const long d = by_width ? width_ : height_;
      const long n =
          by_width ? static_cast<long>(height_) * target_.width : static_cast<long>(width_) * target_.height;
      const int scaled = static_cast<int>(std::max(1L, (2 * n + d) / (2 * d)));
      (by_width ? scaled_y_ : scaled_x_) = scaled;
      offset_x_ = std::floor((target_.width - scaled_x_) / 2.0);
      offset_y_ = std::floor((target_.height - scaled_y_) / 2.0);
    } else if (target_.fit == ReferenceTarget::Fit::kCrop) {
      if (scale_x < scale_y) rect_width_ = target_.width / scale_y;
      if (scale_y < scale_x) rect_height_ = target_.height / scale_x;
      rect_x_ = (width_ - rect_width_) / 2;
      rect_y_ = (height_ - rect_height_) / 2;
    }
  }

  // `byte` of each sample of a plane, at a point of the stored picture: half-pixel centres of that plane.
  double sample(int plane, int byte, double x, double y) const {
    const PlaneSize size = plane_size(image_.type, plane);
    const double px = x * size.width / image_.type.width - 0.5;
    const double py = y * size.height / image_.type.height - 0.5;
    const int x0 = static_cast<int>(std::floor(px));
    const int y0 = static_cast<int>(std::floor(py));
    const double fx = px - x0;
    const double fy = py - y0;
    const auto at = [&](int sx, int sy) {
      sx = std::clamp(sx, 0, size.width - 1);
      sy = std::clamp(sy, 0, size.height - 1);
      const auto p = static_cast<std::size_t>(plane);
      return static_cast<double>(
          image_.planes[p][sy * image_.strides[p] + sx * size.bytes_per_sample + byte]);
    };
    return (at(x0, y0) * (1 - fx) + at(x0 + 1, y0) * fx) * (1 - fy) +
           (at(x0, y0 + 1) * (1 - fx) + at(x0 + 1, y0 + 1) * fx) * fy;
  }

  std::array<double, 3> color_at(double x, double y) const {
    const PixelFormat format = image_.type.format;
    const ColorSpace space = image_.type.color.resolved(image_.type.height);
    double kr = 0.299, kb = 0.114;
    if (space.matrix == ColorMatrix::kBt709) kr = 0.2126, kb = 0.0722;
    if (space.matrix == ColorMatrix::kBt2020) kr = 0.2627, kb = 0.0593;
    if (format == PixelFormat::kGray) {
      const double v = sample(0, 0, x, y);
      return {v, v, v};
    }
    if (format == PixelFormat::kRgb || format == PixelFormat::kBgr) {
      const bool bgr = format == PixelFormat::kBgr;
      return arranged(sample(0, bgr ? 2 : 0, x, y), sample(0, 1, x, y), sample(0, bgr ? 0 : 2, x, y), kr, kb);
    }
    const bool full = space.range == ColorRange::kFull;
    const double luma = full ? sample(0, 0, x, y) : (sample(0, 0, x, y) - 16) * 255 / 219;
    if (target_.color == ReferenceTarget::Color::kGray) return {clamped(luma), 0, 0};
    const bool nv12 = format == PixelFormat::kNv12;
    const double chroma = full ? 1.0 : 255.0 / 224.0;
    const double u = (sample(1, 0, x, y) - 128) * chroma;
    const double v = (sample(nv12 ? 1 : 2, nv12 ? 1 : 0, x, y) - 128) * chroma;
    const double r = luma + 2 * (1 - kr) * v;
    const double b = luma + 2 * (1 - kb) * u;
    const double g = (luma - kr * r - kb * b) / (1 - kr - kb);
    return arranged(clamped(r), clamped(g), clamped(b), kr, kb);
  }

  std::array<double, 3> arranged(double r, double g, double b, double kr, double kb) const {
    if (target_.color == ReferenceTarget::Color::kGray) return {kr * r + (1 - kr - kb) * g + kb * b, 0, 0};
    if (target_.color == ReferenceTarget::Color::kBgr) return {b, g, r};
    return {r, g, b};
  }

  static double clamped(double v) { return std::clamp(v, 0.0, 255.0); }

  const Image& image_;
  ReferenceTarget target_;
  int width_ = 0;
  int height_ = 0;
  double rect_x_ = 0, rect_y_ = 0, rect_width_ = 0, rect_height_ = 0;
  double offset_x_ = 0, offset_y_ = 0;
  int scaled_x_ = 0, scaled_y_ = 0;
};

}  // namespace sluice::testing
