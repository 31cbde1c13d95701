// Turns pictures into packets.
#pragma once

#include <cstdint>
#include <span>

#include "framework/core/image.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "nodes/video/buffer_lender.h"
#include "nodes/video/libav.h"

namespace sluice {

struct EncoderSettings {
  std::span<const char* const> names;  // encoders to try, best first
  ImageType type;                      // of every picture that comes
  AVRational time_base{1, 90000};
  AVRational rate{30, 1};
  int quality = 60;            // 0..100
  bool global_header = false;  // the container keeps the codec's header
  bool reorders = true;        // may hold pictures back to put others first
};

// One thread.
class Encoder {
 public:
  // kFailed, naming what was tried, when none of the encoders can be had.
  Status open(const EncoderSettings& settings);
  // One picture of the settings' type. With `keep` its memory may be read until the encoder is done with it
  // and the packet goes then; without, the encoder copies it at once.
  Status send(const Image& image, std::int64_t pts, Packet keep);
  // No more pictures will come.
  Status finish();
  // The next packet is there; false: more pictures are needed, or all is out. Overwrites `packet`.
  Result<bool> receive(AVPacket& packet);

  const AVCodecContext& codec() const { return *codec_; }
  bool is_open() const { return codec_ != nullptr; }
  // Whether it takes pictures of the format as they are.
  static bool takes(std::span<const char* const> names, PixelFormat format);

 private:
  Status try_open(const AVCodec& implementation, const EncoderSettings& settings);

  BufferLender<Packet> lender_;  // before the codec: outlives it
  LibavPtr<AVCodecContext> codec_;
  LibavPtr<AVFrame> frame_;
};

}  // namespace sluice
