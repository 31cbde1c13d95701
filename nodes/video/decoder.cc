#include "nodes/video/decoder.h"

#include <algorithm>
#include <string_view>

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
  // The graph works beside it, and each further frame thread would hold one more picture back. Nor would they
  // pay: tests/bench/baseline/baseline_3threads.cc with 2 and 3 of them (face720.mp4, 2 cores) makes 0.91
  // and 1.05 times the pictures for 1.12 and 1.06 times the processor time, 5 and 8 MB, and 42 and 48 calls of
  // malloc more per picture.
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
  if (packet != nullptr && is_cut_off(*packet)) return Step::kBroken;
  const int error = avcodec_send_packet(codec_.get(), packet);
  return error < 0 ? fail(error) : Step::kNeedsPacket;
}

// libavcodec fills up what is missing of a JPEG and says nothing. Cameras that never write the end marker are
// left alone. (ITU-T T.81, table B.1: EOI is FF D9, which cannot stand within a picture's data.)
bool Decoder::is_cut_off(const AVPacket& packet) {
  if (codec_->codec_id != AV_CODEC_ID_MJPEG) return false;
  constexpr std::string_view kEnd = "\xFF\xD9";
  constexpr std::size_t kPadding = 4096;  // that cameras add behind it, and of what
  constexpr std::string_view kPaddingBytes("\0\r\n\xFF", 4);
  const std::string_view data(reinterpret_cast<const char*>(packet.data),
                              static_cast<std::size_t>(packet.size));
  const std::string_view tail = data.substr(data.size() - std::min(data.size(), kPadding));
  const std::size_t end = tail.rfind(kEnd);
  const bool ends =
      end != std::string_view::npos && tail.find_first_not_of(kPaddingBytes, end + 2) == tail.npos;
  pictures_have_ends_ |= ends;
  return pictures_have_ends_ && !ends;
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
