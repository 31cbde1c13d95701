#include "nodes/video/picture_ledger.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr std::size_t kMostBeforeFirst = 1000;

bool is_interlaced(const AVFrame& picture) {
#ifdef AV_FRAME_FLAG_INTERLACED
  return (picture.flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
  return picture.interlaced_frame != 0;
#endif
}

}  // namespace

void PictureLedger::start(AVCodecID codec, bool joined) {
  counts_ = codec == AV_CODEC_ID_H264 || codec == AV_CODEC_ID_HEVC;
  joined_ = joined;
  began_ = false;
  before_first_.clear();
  waiting_ = 0;
}

void PictureLedger::sent(const AVPacket& packet) {
  if (packet.pts == AV_NOPTS_VALUE || before_first_.size() > kMostBeforeFirst) counts_ = false;
  if (!counts_ || (packet.flags & AV_PKT_FLAG_DISCARD) != 0) return;
  if (!began_) {
    before_first_.push_back(packet.pts);
  } else if (packet.pts > first_) {
    ++waiting_;
  }
}

void PictureLedger::refused() {
  if (began_) {
    waiting_ -= std::min<std::size_t>(waiting_, 1);
  } else if (!before_first_.empty()) {
    before_first_.pop_back();
  }
}

void PictureLedger::came(const AVFrame& picture) {
  if (is_interlaced(picture)) counts_ = false;
  if (!counts_) return;
  if (began_) {
    waiting_ -= std::min<std::size_t>(waiting_, 1);
  } else {
    came_first(picture.pts);
  }
}

// Pictures that follow the first key frame and come before it in time lean on pictures before it, which are
// not in the stream: the standards have them left out (HEVC's RASL, the first B-frames of an open group).
// Here and in `sent` they do not count.
void PictureLedger::came_first(std::int64_t pts) {
  began_ = true;
  first_ = pts;
  const auto self = std::ranges::find(before_first_, pts);
  counts_ = self != before_first_.end();
  const auto later = std::ranges::count_if(before_first_, [pts](std::int64_t one) { return one > pts; });
  const auto earlier =
      std::count_if(before_first_.begin(), self, [pts](std::int64_t one) { return one < pts; });
  waiting_ = static_cast<std::size_t>(later + (joined_ ? 0 : earlier));
  before_first_.clear();
}

std::size_t PictureLedger::take_lost(int held) {
  const std::size_t stay = std::min(waiting_, static_cast<std::size_t>(std::max(held, 0)));
  const std::size_t lost = std::exchange(waiting_, stay) - stay;
  return counts_ ? lost : 0;
}

}  // namespace sluice
