#include "nodes/video/converter.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

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

// Of one component, which swscale takes for full range whatever it is told.
bool is_gray(AVPixelFormat format) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  return d != nullptr && d->nb_components < 3 && !is_rgb(format);
}

bool is_full_range(AVPixelFormat format, ColorRange range) {
  return is_rgb(format) || is_gray(format) || range == ColorRange::kFull;
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

// 16..235 to 0..255.
void expand_gray(Image& gray) {
  std::array<std::uint8_t, 256> expanded{};
  for (int y = 0; y < 256; ++y)
    expanded[static_cast<std::size_t>(y)] =
        static_cast<std::uint8_t>(std::clamp(((y - 16) * 510 + 219) / 438, 0, 255));
  for (int y = 0; y < gray.type.height; ++y) {
    std::uint8_t* row = gray.planes[0] + y * gray.strides[0];
    std::transform(row, row + gray.type.width, row, [&expanded](std::uint8_t v) { return expanded[v]; });
  }
}

// swscale chooses its way when it is made, and takes a plain copy where only the ranges differ and it does
// not know them yet. So they are told first; the matrices can only be told afterwards.
LibavPtr<SwsContext> make_scaler(AVPixelFormat from, int from_width, int from_height, bool from_full,
                                 AVPixelFormat to, int to_width, int to_height, bool to_full) {
  LibavPtr<SwsContext> scaler(sws_alloc_context());
  if (!scaler) return scaler;
  const auto set = [&scaler](const char* name, std::int64_t value) {
    return av_opt_set_int(scaler.get(), name, value, 0) >= 0;
  };
  constexpr int kFlags = SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT;
  const bool set_all = set("sws_flags", kFlags) && set("srcw", from_width) && set("srch", from_height) &&
                       set("src_format", from) && set("src_range", from_full ? 1 : 0) &&
                       set("dstw", to_width) && set("dsth", to_height) && set("dst_format", to) &&
                       set("dst_range", to_full ? 1 : 0);
  if (!set_all || sws_init_context(scaler.get(), nullptr, nullptr) < 0) scaler.reset();
  return scaler;
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

Converter::Side Converter::side_of(const AVFrame& frame) {
  Side side;
  for (std::size_t p = 0; p < side.planes.size(); ++p) {
    side.planes[p] = frame.data[p];
    side.strides[p] = frame.linesize[p];
  }
  const auto format = static_cast<AVPixelFormat>(frame.format);
  side.kind = {without_j(format), frame.width, frame.height,
               color_of(frame.colorspace, frame.color_range, format).resolved(frame.height)};
  return side;
}

Status Converter::convert(const AVFrame& from, Image& to) {
  if (is_same_kind(from, to.type)) {
    copy_planes(from, to);
  } else {
    SLUICE_RETURN_IF_ERROR(scale(side_of(from), side_of(to)));
  }
  if (is_limited_gray(static_cast<AVPixelFormat>(from.format), from.color_range)) expand_gray(to);
  return {};
}

Status Converter::convert(const Image& from, Image& to) { return scale(side_of(from), side_of(to)); }

Status Converter::prepare(const Kind& from, const Kind& to) {
  if (scaler_ && from == from_ && to == to_) return {};
  const bool from_full = is_full_range(from.format, from.color.range);
  const bool to_full = is_full_range(to.format, to.color.range);
  scaler_ =
      make_scaler(from.format, from.width, from.height, from_full, to.format, to.width, to.height, to_full);
  if (!scaler_) {
    return failed(fmt::format("swscale cannot convert {}x{} {} to {}x{} {}", from.width, from.height,
                              av_get_pix_fmt_name(from.format), to.width, to.height,
                              av_get_pix_fmt_name(to.format)));
  }
  // Between YUV pictures of one matrix, and to or from grey, the matrix drops out; swscale refuses any but
  // its own there.
  const bool matrix_counts = is_rgb(from.format) || is_rgb(to.format) || from.color.matrix != to.color.matrix;
  if (matrix_counts && !is_gray(from.format) && !is_gray(to.format)) {
    const int set = sws_setColorspaceDetails(
        scaler_.get(), sws_getCoefficients(sws_matrix(from.color.matrix)), from_full,
        sws_getCoefficients(sws_matrix(to.color.matrix)), to_full, 0, kUnity, kUnity);
    if (set < 0) {
      scaler_.reset();
      return failed(fmt::format("swscale cannot bring {} to {} of another colour matrix or range",
                                av_get_pix_fmt_name(from.format), av_get_pix_fmt_name(to.format)));
    }
  }
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
