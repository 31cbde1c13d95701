#include "nodes/video/picture.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

namespace sluice {

PixelFormat direct_format(AVPixelFormat format) {
  switch (format) {
    case AV_PIX_FMT_YUV420P:
    case AV_PIX_FMT_YUVJ420P:
      return PixelFormat::kI420;
    case AV_PIX_FMT_YUV422P:
    case AV_PIX_FMT_YUVJ422P:
      return PixelFormat::kI422;
    case AV_PIX_FMT_YUV444P:
    case AV_PIX_FMT_YUVJ444P:
      return PixelFormat::kI444;
    case AV_PIX_FMT_NV12:
      return PixelFormat::kNv12;
    case AV_PIX_FMT_GRAY8:
      return PixelFormat::kGray;
    case AV_PIX_FMT_RGB24:
      return PixelFormat::kRgb;
    case AV_PIX_FMT_BGR24:
      return PixelFormat::kBgr;
    default:
      return PixelFormat::kNone;
  }
}

PixelFormat nearest_format(AVPixelFormat format) {
  const AVPixFmtDescriptor* d = av_pix_fmt_desc_get(format);
  if (d == nullptr) return PixelFormat::kI420;
  if (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) return PixelFormat::kRgb;
  if (d->nb_components < 3) return PixelFormat::kGray;
  // No chroma is lost: 4:4:0 goes to 4:4:4 and 4:1:1 to 4:2:2.
  if (d->log2_chroma_w == 0) return PixelFormat::kI444;
  return d->log2_chroma_h == 0 ? PixelFormat::kI422 : PixelFormat::kI420;
}

AVPixelFormat libav_format(PixelFormat format, ColorRange range) {
  const bool full = range == ColorRange::kFull;
  switch (format) {
    case PixelFormat::kI420:
      return full ? AV_PIX_FMT_YUVJ420P : AV_PIX_FMT_YUV420P;
    case PixelFormat::kI422:
      return full ? AV_PIX_FMT_YUVJ422P : AV_PIX_FMT_YUV422P;
    case PixelFormat::kI444:
      return full ? AV_PIX_FMT_YUVJ444P : AV_PIX_FMT_YUV444P;
    case PixelFormat::kNv12:
      return AV_PIX_FMT_NV12;
    case PixelFormat::kGray:
      return AV_PIX_FMT_GRAY8;
    case PixelFormat::kRgb:
      return AV_PIX_FMT_RGB24;
    case PixelFormat::kBgr:
      return AV_PIX_FMT_BGR24;
    case PixelFormat::kNone:
      break;
  }
  return AV_PIX_FMT_NONE;
}

bool is_limited_gray(AVPixelFormat format, AVColorRange range) {
  return range == AVCOL_RANGE_MPEG && nearest_format(format) == PixelFormat::kGray;
}

ColorSpace color_of(AVColorSpace matrix, AVColorRange range, AVPixelFormat format) {
  ColorSpace out;
  switch (matrix) {
    case AVCOL_SPC_BT709:
      out.matrix = ColorMatrix::kBt709;
      break;
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
      out.matrix = ColorMatrix::kBt601;
      break;
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
      out.matrix = ColorMatrix::kBt2020;
      break;
    default:
      break;
  }
  const bool always_full = format == AV_PIX_FMT_YUVJ420P || format == AV_PIX_FMT_YUVJ422P ||
                           format == AV_PIX_FMT_YUVJ444P || format == AV_PIX_FMT_YUVJ440P ||
                           format == AV_PIX_FMT_YUVJ411P;
  if (range == AVCOL_RANGE_JPEG || always_full)
    out.range = ColorRange::kFull;
  else if (range == AVCOL_RANGE_MPEG)
    out.range = ColorRange::kLimited;
  return out;
}

bool is_known_matrix(AVColorSpace matrix) {
  const bool says_nothing =
      matrix == AVCOL_SPC_UNSPECIFIED || matrix == AVCOL_SPC_RESERVED || matrix == AVCOL_SPC_RGB;
  return says_nothing ||
         color_of(matrix, AVCOL_RANGE_UNSPECIFIED, AV_PIX_FMT_YUV420P).matrix != ColorMatrix::kUnspecified;
}

AVColorSpace libav_matrix(ColorMatrix matrix) {
  switch (matrix) {
    case ColorMatrix::kBt601:
      return AVCOL_SPC_SMPTE170M;
    case ColorMatrix::kBt709:
      return AVCOL_SPC_BT709;
    case ColorMatrix::kBt2020:
      return AVCOL_SPC_BT2020_NCL;
    case ColorMatrix::kUnspecified:
      break;
  }
  return AVCOL_SPC_UNSPECIFIED;
}

AVColorRange libav_range(ColorRange range) {
  switch (range) {
    case ColorRange::kLimited:
      return AVCOL_RANGE_MPEG;
    case ColorRange::kFull:
      return AVCOL_RANGE_JPEG;
    case ColorRange::kUnspecified:
      break;
  }
  return AVCOL_RANGE_UNSPECIFIED;
}

Orientation orientation_of(const std::int32_t* given) {
  Orientation out;
  std::array<std::int32_t, 9> matrix;
  std::copy_n(given, matrix.size(), matrix.begin());
  // A mirrored picture has a negative determinant (left upper 2x2 of the 16.16 matrix); what is left to do
  // once its left and right are swapped is a turn.
  out.mirrored = static_cast<double>(matrix[0]) * matrix[4] < static_cast<double>(matrix[1]) * matrix[3];
  if (out.mirrored) {
    for (std::size_t i : {0U, 1U}) matrix[i] = -std::max(matrix[i], -INT32_MAX);
  }
  const double degrees = -av_display_rotation_get(matrix.data());  // libav counts counterclockwise
  if (std::isnan(degrees)) return {0, false, true};
  const long quarters = std::lround(degrees / 90.0);
  out.rotation = static_cast<int>(((quarters % 4) + 4) % 4) * 90;
  out.oblique = std::abs(degrees - static_cast<double>(quarters) * 90.0) > 0.5;
  return out;
}

std::optional<Orientation> orientation_of(const AVStream& stream) {
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)  // FFmpeg 6.1 moved it
  const AVPacketSideData* data = av_packet_side_data_get(
      stream.codecpar->coded_side_data, stream.codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
  if (data == nullptr || data->size < 9 * sizeof(std::int32_t)) return std::nullopt;
  return orientation_of(reinterpret_cast<const std::int32_t*>(data->data));
#else
  std::size_t size = 0;
  const std::uint8_t* data = av_stream_get_side_data(&stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
  if (data == nullptr || size < 9 * sizeof(std::int32_t)) return std::nullopt;
  return orientation_of(reinterpret_cast<const std::int32_t*>(data));
#endif
}

std::optional<Orientation> orientation_of(const AVFrame& frame) {
  const AVFrameSideData* data = av_frame_get_side_data(&frame, AV_FRAME_DATA_DISPLAYMATRIX);
  if (data == nullptr || data->size < 9 * sizeof(std::int32_t)) return std::nullopt;
  return orientation_of(reinterpret_cast<const std::int32_t*>(data->data));
}

ImageType make_type(AVPixelFormat format, int width, int height, ColorSpace color, int rotation) {
  const PixelFormat direct = direct_format(format);
  const PixelFormat ours = direct != PixelFormat::kNone ? direct : nearest_format(format);
  if (ours == PixelFormat::kGray) color.range = ColorRange::kFull;
  return {ours, width, height, color, rotation};
}

ImageType type_of(const AVFrame& frame, int rotation) {
  const auto format = static_cast<AVPixelFormat>(frame.format);
  return make_type(format, frame.width, frame.height, color_of(frame.colorspace, frame.color_range, format),
                   rotation);
}

}  // namespace sluice
