// Between FFmpeg's description of a picture and ours.
#pragma once

#include <cstdint>
#include <optional>

#include "framework/core/image.h"
#include "nodes/video/libav.h"

namespace sluice {

// Ours for pixels that can be used as they lie in memory; kNone for everything else (10 bit, palette, alpha,
// ...).
PixelFormat direct_format(AVPixelFormat format);
// The nearest of ours for pixels that have to be converted: RGB kinds to kRgb, grey ones to kGray, YUV ones
// to the planar format with the same chroma (kI420 where there is none).
PixelFormat nearest_format(AVPixelFormat format);
AVPixelFormat libav_format(PixelFormat format, ColorRange range);

// Ours for grey is full range, so a picture that says limited has to be expanded.
bool is_limited_gray(AVPixelFormat format, AVColorRange range);

ColorSpace color_of(AVColorSpace matrix, AVColorRange range, AVPixelFormat format);
// False for a matrix that color_of leaves unspecified although the stream names it.
bool is_known_matrix(AVColorSpace matrix);
AVColorSpace libav_matrix(ColorMatrix matrix);
AVColorRange libav_range(ColorRange range);

// How a stored picture must be turned to be upright, from display matrix side data.
struct Orientation {
  int rotation = 0;       // clockwise, 0, 90, 180, 270; after the mirroring
  bool mirrored = false;  // left and right are to be swapped first
  bool oblique = false;   // at another angle: the nearest quarter turn is given
};
// From a matrix of nine numbers (libavutil/display.h).
Orientation orientation_of(const std::int32_t* matrix);
// The stream's; nullopt: it says nothing.
std::optional<Orientation> orientation_of(const AVStream& stream);
// The frame's own.
std::optional<Orientation> orientation_of(const AVFrame& frame);

// The type such a picture has once it is in our memory.
ImageType make_type(AVPixelFormat format, int width, int height, ColorSpace color, int rotation);
// The type of a decoded frame once it is in our memory (converted when it has to be).
ImageType type_of(const AVFrame& frame, int rotation);

}  // namespace sluice
