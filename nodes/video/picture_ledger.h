// Counts the pictures that a decoder took in and never gave out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "nodes/video/libav.h"

namespace sluice {

// H.264 and HEVC decoders say nothing of the pictures that they leave out after a broken key frame, until the
// next one. There each packet is one picture, and the decoder tells how many it holds back to put them in
// order: what went in beyond that and is not out is lost. Other codecs have packets without a picture and are
// not counted, nor are streams without time stamps and interlaced ones (fields may have packets of their
// own). One thread.
class PictureLedger {
 public:
  // Another stream, or the same from its start. `joined`: in mid-stream; what comes before the first picture
  // was not meant for us.
  void start(AVCodecID codec, bool joined);
  // Before each packet goes to the decoder.
  void sent(const AVPacket& packet);
  // The decoder refused the packet sent last, which says that its picture is lost.
  void refused();
  // A picture came out, whole or damaged.
  void came(const AVFrame& picture);
  // How many are newly known to be lost. The decoder wants a packet, and holds `held` pictures back at most
  // (AVCodecContext::has_b_frames), or has given out all (0).
  std::size_t take_lost(int held);

 private:
  void came_first(std::int64_t pts);

  bool counts_ = false;
  bool joined_ = false;
  bool began_ = false;                      // a picture came
  std::int64_t first_ = 0;                  // its time stamp
  std::vector<std::int64_t> before_first_;  // time stamps of the packets until then
  std::size_t waiting_ = 0;                 // pictures sent since, and not out
};

}  // namespace sluice
