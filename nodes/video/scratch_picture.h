// One picture of our own, made once and used for every frame.
#pragma once

#include "framework/core/buffer.h"
#include "framework/core/image.h"

namespace sluice {

// One thread.
class ScratchPicture {
 public:
  // A picture of `type`, with whatever was in it last; memory is made anew only when the type needs more.
  Result<Image*> of(const ImageType& type) {
    SLUICE_ASSIGN(const std::size_t bytes, image_bytes(type));
    if (!pool_ || pool_->bytes_each() < bytes) {
      image_.buffer.reset();
      SLUICE_ASSIGN(pool_, BufferPool::create("scratch", bytes, 1));
    }
    image_.buffer.reset();
    lay_out(type, pool_->acquire(), 64, image_);
    return &image_;
  }

 private:
  BufferPool::Ptr pool_;
  Image image_;
};

}  // namespace sluice
