// Turns packets into pictures.
#pragma once

#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "nodes/video/frame_memory.h"
#include "nodes/video/libav.h"

namespace sluice {

// One thread.
class Decoder {
 public:
  enum class Step {
    kPicture,
    kNeedsPacket,
    kEnd,     // after a null packet: all pictures are out
    kBroken,  // what was sent could not be decoded, or not without damage
    kFailed,  // the decoder cannot go on; `failure` says why
  };

  // `memory` outlives the decoder; null: the decoder's own memory. `strict`: damage that a decoder could hide
  // is kBroken.
  Status open(const AVCodecParameters& parameters, AVRational time_base, FrameMemory* memory, bool strict);
  void close() { codec_.reset(); }

  // `stamp` comes back with the pictures whose decoding this packet starts. Null packet: no more will come.
  // Only after kNeedsPacket.
  Step send(const AVPacket* packet, TimeNs stamp);
  // Overwrites `frame`.
  Step receive(AVFrame& frame);
  // The stamp of a received picture; `fallback` for decoders that lose it.
  static TimeNs stamp_of(const AVFrame& frame, TimeNs fallback);
  const Status& failure() const { return failure_; }

  // Forgets all pictures; after a jump to another place of the stream.
  void flush();
  const AVCodecContext& codec() const { return *codec_; }

 private:
  static int get_buffer(AVCodecContext* codec, AVFrame* frame, int flags);
  Step fail(int error);
  bool is_cut_off(const AVPacket& packet);

  LibavPtr<AVCodecContext> codec_;
  FrameMemory* memory_ = nullptr;
  bool strict_ = false;
  bool pictures_have_ends_ = false;  // some JPEG of the stream had its end marker
  TimeNs stamp_ = 0;
  Status failure_;
};

}  // namespace sluice
