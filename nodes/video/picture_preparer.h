// What both sinks do with a picture before it is encoded.
#pragma once

#include "nodes/video/converter.h"
#include "nodes/video/rotate.h"
#include "nodes/video/scratch_picture.h"

namespace sluice {

// Turns and converts pictures; keeps its memory. One thread.
class PicturePreparer {
 public:
  // `image` upright and of `wanted` (rotation 0): itself if it is that already, else a picture that stays as
  // it is until the next call. The colour fields of `wanted` count as they stand.
  Result<const Image*> prepare(const Image& image, const ImageType& wanted) {
    const Image* now = &image;
    if (now->type.rotation != 0 && !can_turn(now->type.format)) {
      ImageType type = now->type;
      type.format = PixelFormat::kI444;
      SLUICE_ASSIGN(now, convert(*now, type, expanded_));
    }
    if (now->type.rotation != 0) {
      SLUICE_ASSIGN(Image * turned, turned_.of(upright_type(now->type)));
      turn(*now, *turned);
      now = turned;
    }
    if (same_pixels(now->type, wanted)) return now;
    return convert(*now, wanted, converted_);
  }

 private:
  static bool same_pixels(const ImageType& a, const ImageType& b) {
    return a.format == b.format && a.width == b.width && a.height == b.height &&
           a.color.resolved(a.height) == b.color.resolved(b.height);
  }
  Result<const Image*> convert(const Image& from, const ImageType& type, ScratchPicture& scratch) {
    SLUICE_ASSIGN(Image * to, scratch.of(type));
    SLUICE_RETURN_IF_ERROR(converter_.convert(from, *to));
    return to;
  }

  Converter converter_;
  ScratchPicture expanded_;
  ScratchPicture turned_;
  ScratchPicture converted_;
};

}  // namespace sluice
