#include "nodes/video/decoder.h"

#include <fmt/format.h>

#include "framework/core/allocation_scope.h"

namespace sluice {
namespace {

constexpr std::int64_t kMostPixels = 16384LL * 16384LL;
static_assert(sizeof(void*) >= sizeof(TimeNs), "a stamp travels in AVFrame::opaque");

Status open_codec(AVCodecContext& codec, const AVCodec& implementation) {
  forget_libav_log();
  const int error = avcodec_open2(&codec, &implementation, nullptr);
  return error < 0 ? failed(fmt::format("the {} decoder cannot be opened: {}", implementation.name,
                                        libav_error(error)))
                   : Status{};
}

}  // namespace

Status Decoder::open(const AVCodecParameters& parameters, AVRational time_base, FrameMemory* memory,
                     bool strict) {
  const AVCodec* implementation = avcodec_find_decoder(parameters.codec_id);
  if (implementation == nullptr) {
    return failed(
        fmt::format("this system's FFmpeg has no decoder for '{}'", avcodec_get_name(parameters.codec_id)));
  }
  codec_.reset(avcodec_alloc_context3(implementation));
  if (!codec_ || avcodec_parameters_to_context(codec_.get(), &parameters) < 0) return failed("out of memory");
  codec_->pkt_timebase = time_base;
  // The graph works beside it, and each further frame thread would hold one more picture back.
  codec_->thread_count = 1;
  codec_->max_pixels = kMostPixels;
  codec_->opaque = this;
  codec_->get_buffer2 = &Decoder::get_buffer;
  strict_ = strict;
  if (strict) codec_->err_recognition = AV_EF_CRCCHECK | AV_EF_BITSTREAM | AV_EF_BUFFER;
  // Of a TIFF that refuses each tag that the decoder does not use, such as the resolution's unit.
  if (strict && parameters.codec_id != AV_CODEC_ID_TIFF) codec_->err_recognition |= AV_EF_EXPLODE;
  memory_ = memory;
  failure_ = {};
  return open_codec(*codec_, *implementation);
}

int Decoder::get_buffer(AVCodecContext* codec, AVFrame* frame, int flags) {
  auto* self = static_cast<Decoder*>(codec->opaque);
  const int error = self->memory_ != nullptr ? self->memory_->get(*codec, *frame, flags)
                                             : avcodec_default_get_buffer2(codec, frame, flags);
  // A number where FFmpeg keeps a pointer for its caller, which nobody follows.
  frame->opaque = reinterpret_cast<void*>(self->stamp_);  // NOLINT(performance-no-int-to-ptr)
  return error;
}

Decoder::Step Decoder::fail(int error) {
  if (memory_ != nullptr) {
    if (std::optional<Status> reason = memory_->take_failure()) {
      failure_ = *std::move(reason);
      return Step::kFailed;
    }
  }
  if (error != AVERROR(ENOMEM)) return Step::kBroken;
  failure_ = failed("the decoder is out of memory");
  return Step::kFailed;
}

Decoder::Step Decoder::send(const AVPacket* packet, TimeNs stamp) {
  const ForeignCode foreign;
  stamp_ = stamp;
  const int error = avcodec_send_packet(codec_.get(), packet);
  return error < 0 ? fail(error) : Step::kNeedsPacket;
}

Decoder::Step Decoder::receive(AVFrame& frame) {
  const ForeignCode foreign;
  const int error = avcodec_receive_frame(codec_.get(), &frame);
  if (error == AVERROR(EAGAIN)) return Step::kNeedsPacket;
  if (error == AVERROR_EOF) return Step::kEnd;
  if (error < 0) return fail(error);
  const bool damaged = (frame.flags & AV_FRAME_FLAG_CORRUPT) != 0 || frame.decode_error_flags != 0;
  return damaged ? Step::kBroken : Step::kPicture;
}

TimeNs Decoder::stamp_of(const AVFrame& frame, TimeNs fallback) {
  return frame.opaque != nullptr ? reinterpret_cast<TimeNs>(frame.opaque) : fallback;
}

void Decoder::flush() { avcodec_flush_buffers(codec_.get()); }

}  // namespace sluice
