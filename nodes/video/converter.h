// Pixels from one format and size to another; the one user of swscale.
#pragma once

#include <array>
#include <cstdint>

#include "framework/core/image.h"
#include "framework/core/status.h"
#include "nodes/video/libav.h"

namespace sluice {

// Keeps its scaler between calls of the same kind; one thread.
class Converter {
 public:
  // Writes `from`, a picture of FFmpeg's, into the planes of `to` (laid out). Format and size may differ
  // (bilinear); matrix and range of both sides are kept to. The same format and size: the samples are copied
  // as they are. Grey of limited range is expanded: ours is full.
  Status convert(const AVFrame& from, Image& to);
  // The same for a picture of ours.
  Status convert(const Image& from, Image& to);

 private:
  // What the scaler depends on.
  struct Kind {
    AVPixelFormat format = AV_PIX_FMT_NONE;
    int width = 0;
    int height = 0;
    ColorSpace color;
    bool operator==(const Kind&) const = default;
  };
  struct Side {
    Kind kind;
    std::array<const std::uint8_t*, 4> planes{};
    std::array<int, 4> strides{};
  };
  static Side side_of(const Image& image);
  static Side side_of(const AVFrame& frame);
  Status scale(const Side& from, const Side& to);
  Status prepare(const Kind& from, const Kind& to);

  LibavPtr<SwsContext> scaler_;
  Kind from_;
  Kind to_;
};

}  // namespace sluice
