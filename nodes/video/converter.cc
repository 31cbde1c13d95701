#include "nodes/video/converter.h"

#include <fmt/format.h>

#include "nodes/video/picture.h"

namespace sluice {
namespace {

constexpr int kUnity = 1 << 16;  // brightness, contrast, saturation in 16.16

int sws_matrix(ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::kBt709:
      return SWS_CS_ITU709;
    case ColorMatrix::kBt2020:
      return SWS_CS_BT2020;
    default:
      return SWS_CS_ITU601;
  }
}

bool is_rgb(AVPixelFormat format) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  return d != nullptr && (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
}

// swscale knows full range by argument; its J formats only trigger a warning.
AVPixelFormat without_j(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUVJ420P:
      return AV_PIX_FMT_YUV420P;
    case AV_PIX_FMT_YUVJ422P:
      return AV_PIX_FMT_YUV422P;
    case AV_PIX_FMT_YUVJ444P:
      return AV_PIX_FMT_YUV444P;
    case AV_PIX_FMT_YUVJ440P:
      return AV_PIX_FMT_YUV440P;
    case AV_PIX_FMT_YUVJ411P:
      return AV_PIX_FMT_YUV411P;
    default:
      return format;
  }
}

bool is_same_kind(const AVFrame& from, const ImageType& to) {
  return direct_format(static_cast<AVPixelFormat>(from.format)) == to.format && from.width == to.width &&
         from.height == to.height;
}

void copy_planes(const AVFrame& from, Image& to) {
  for (int p = 0; p < plane_count(to.type.format); ++p) {
    const PlaneSize size = plane_size(to.type, p);
    av_image_copy_plane(to.planes[static_cast<std::size_t>(p)],
                        static_cast<int>(to.strides[static_cast<std::size_t>(p)]), from.data[p],
                        from.linesize[p], size.width * size.bytes_per_sample, size.height);
  }
}

}  // namespace

Converter::Side Converter::side_of(const Image& image) {
  Side side;
  for (std::size_t p = 0; p < image.planes.size(); ++p) {
    side.planes[p] = image.planes[p];
    side.strides[p] = static_cast<int>(image.strides[p]);
  }
  const ImageType& type = image.type;
  side.kind = {libav_format(type.format, ColorRange::kLimited), type.width, type.height,
               type.color.resolved(type.height)};
  return side;
}

Status Converter::convert(const AVFrame& from, Image& to) {
  if (is_same_kind(from, to.type)) {
    copy_planes(from, to);
    return {};
  }
  Side side;
  for (std::size_t p = 0; p < side.planes.size(); ++p) {
    side.planes[p] = from.data[p];
    side.strides[p] = from.linesize[p];
  }
  const auto format = static_cast<AVPixelFormat>(from.format);
  side.kind = {without_j(format), from.width, from.height,
               color_of(from.colorspace, from.color_range, format).resolved(from.height)};
  return scale(side, side_of(to));
}

Status Converter::convert(const Image& from, Image& to) { return scale(side_of(from), side_of(to)); }

Status Converter::prepare(const Kind& from, const Kind& to) {
  if (scaler_ && from == from_ && to == to_) return {};
  constexpr int kFlags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;
  scaler_.reset(sws_getContext(from.width, from.height, from.format, to.width, to.height, to.format, kFlags,
                               nullptr, nullptr, nullptr));
  if (!scaler_) {
    return failed(fmt::format("swscale cannot convert {}x{} {} to {}x{} {}", from.width, from.height,
                              av_get_pix_fmt_name(from.format), to.width, to.height,
                              av_get_pix_fmt_name(to.format)));
  }
  const bool from_full = is_rgb(from.format) || from.color.range == ColorRange::kFull;
  const bool to_full = is_rgb(to.format) || to.color.range == ColorRange::kFull;
  // Fails for pairs that have no matrix (grey to grey): nothing is to be set there.
  (void)sws_setColorspaceDetails(scaler_.get(), sws_getCoefficients(sws_matrix(from.color.matrix)), from_full,
                                 sws_getCoefficients(sws_matrix(to.color.matrix)), to_full, 0, kUnity,
                                 kUnity);
  from_ = from;
  to_ = to;
  return {};
}

Status Converter::scale(const Side& from, const Side& to) {
  SLUICE_RETURN_IF_ERROR(prepare(from.kind, to.kind));
  std::array<std::uint8_t*, 4> out{};
  for (std::size_t p = 0; p < out.size(); ++p) out[p] = const_cast<std::uint8_t*>(to.planes[p]);
  const int rows = sws_scale(scaler_.get(), from.planes.data(), from.strides.data(), 0, from.kind.height,
                             out.data(), to.strides.data());
  return rows < 0 ? failed(fmt::format("swscale failed: {}", libav_error(rows))) : Status{};
}

}  // namespace sluice
