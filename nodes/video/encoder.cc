#include "nodes/video/encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>

#include "framework/core/allocation_scope.h"
#include "nodes/video/picture.h"

namespace sluice {
namespace {

bool is_x264(const AVCodec& codec) { return std::strcmp(codec.name, "libx264") == 0; }

const AVCodec* first_of(std::span<const char* const> names) {
  for (const char* name : names) {
    if (const AVCodec* codec = avcodec_find_encoder_by_name(name)) return codec;
  }
  return nullptr;
}

// H.264: constant rate factor 51..0. Others: quantiser 31..1, denser where it is good.
void set_quality(AVCodecContext& codec, int quality, AVDictionary** options) {
  if (is_x264(*codec.codec)) {
    av_dict_set(options, "preset", "veryfast", 0);
    av_dict_set(options, "crf", fmt::format("{:.1f}", 51.0 - 0.51 * quality).c_str(), 0);
    return;
  }
  const double loss = (100 - quality) / 100.0;
  codec.qmin = 1;
  codec.flags |= AV_CODEC_FLAG_QSCALE;
  codec.global_quality = static_cast<int>(std::lround(FF_QP2LAMBDA * (1.0 + 30.0 * loss * loss)));
}

}  // namespace

bool Encoder::takes(std::span<const char* const> names, PixelFormat format) {
  const AVCodec* codec = first_of(names);
  return format == PixelFormat::kI420 ||
         (format == PixelFormat::kNv12 && codec != nullptr && is_x264(*codec));
}

Status Encoder::open(const EncoderSettings& settings) {
  std::string tried;
  for (const char* name : settings.names) {
    Status status = failed("not in this system's FFmpeg");
    if (const AVCodec* codec = avcodec_find_encoder_by_name(name)) status = try_open(*codec, settings);
    if (status.ok()) return status;
    codec_.reset();
    tried += fmt::format("{}{}: {}", tried.empty() ? "" : "; ", name, status.message());
  }
  return failed(fmt::format("no encoder for {}x{} {}: {}", settings.type.width, settings.type.height,
                            name_of(settings.type.format), tried));
}

Status Encoder::try_open(const AVCodec& implementation, const EncoderSettings& settings) {
  codec_.reset(avcodec_alloc_context3(&implementation));
  frame_.reset(av_frame_alloc());
  if (!codec_ || !frame_) return failed("out of memory");
  const ImageType& type = settings.type;
  codec_->width = type.width;
  codec_->height = type.height;
  codec_->pix_fmt = libav_format(
      type.format, implementation.id == AV_CODEC_ID_MJPEG ? ColorRange::kFull : ColorRange::kLimited);
  codec_->colorspace = libav_matrix(type.color.matrix);
  codec_->color_range = libav_range(type.color.range);
  codec_->time_base = settings.time_base;
  codec_->framerate = settings.rate;
  codec_->thread_count = 1;  // the node's own thread: workers belong to the graph
  if (!settings.reorders) codec_->max_b_frames = 0;
  if (settings.global_header) codec_->flags |= AV_CODEC_FLAG_GLOBAL_HEADER;
  AVDictionary* options = nullptr;
  set_quality(*codec_, settings.quality, &options);
  forget_libav_log();
  const int error = avcodec_open2(codec_.get(), &implementation, &options);
  av_dict_free(&options);
  return error < 0 ? failed(libav_error(error)) : Status{};
}

Status Encoder::send(const Image& image, std::int64_t pts, Packet keep) {
  const ForeignCode foreign;
  AVFrame& frame = *frame_;
  frame.format = codec_->pix_fmt;
  frame.width = codec_->width;
  frame.height = codec_->height;
  frame.pts = pts;
  frame.quality = codec_->global_quality;
  frame.colorspace = codec_->colorspace;
  frame.color_range = codec_->color_range;
  for (std::size_t p = 0; p < image.planes.size(); ++p) {
    frame.data[p] = image.planes[p];
    frame.linesize[p] = static_cast<int>(image.strides[p]);
  }
  // x264 copies the picture before it returns; others may hold on to a lent one, and a source's buffer with
  // it.
  if (keep && is_x264(*codec_->codec)) {
    const auto bytes = static_cast<std::size_t>(image.strides[0]) * static_cast<std::size_t>(codec_->height);
    frame.buf[0] = lender_.lend(std::move(keep), image.planes[0], bytes, AV_BUFFER_FLAG_READONLY);
  }
  forget_libav_log();
  const int error = avcodec_send_frame(codec_.get(), &frame);
  av_frame_unref(&frame);
  return error < 0 ? failed(fmt::format("the encoder failed: {}", libav_error(error))) : Status{};
}

Status Encoder::finish() {
  forget_libav_log();
  const int error = avcodec_send_frame(codec_.get(), nullptr);
  return error < 0 && error != AVERROR_EOF ? failed(fmt::format("the encoder failed: {}", libav_error(error)))
                                           : Status{};
}

Result<bool> Encoder::receive(AVPacket& packet) {
  const ForeignCode foreign;
  const int error = avcodec_receive_packet(codec_.get(), &packet);
  if (error == AVERROR(EAGAIN) || error == AVERROR_EOF) return false;
  if (error < 0) return failed(fmt::format("the encoder failed: {}", libav_error(error)));
  return true;
}

}  // namespace sluice
