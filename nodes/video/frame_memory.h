// Where a decoder's pictures lie: in buffers of the source's pool, so that they reach the graph without a
// copy.
#pragma once

#include <optional>

#include "framework/core/buffer.h"
#include "framework/node/node.h"
#include "nodes/video/buffer_lender.h"
#include "nodes/video/libav.h"

namespace sluice {

// Answers a decoder's get_buffer2. Until `attach` the decoder uses memory of its own (the probe). Used in one
// thread; the decoder must have a single thread. Outlives the decoder.
class FrameMemory {
 public:
  // Largest pictures allowed; a larger one fails the decoder, with the reason in `failure`.
  void limit(int max_width, int max_height);
  // What the pool is made for, as the source announced it.
  void announced_as(const SourceInfo& info) { announced_ = info; }
  // Pictures come from the pool behind `context` until the next call; null: from the decoder's own memory.
  void attach(SourceContext* context) { context_ = context; }

  // Has a buffer ready for the next picture, so that waiting for one happens here and not inside the decoder.
  // Realtime and an empty pool: ok too, then the decoder works in its own memory and that picture has no
  // buffer. Fails when the source is stopped.
  Status prepare();

  // The callback (AVCodecContext::get_buffer2).
  int get(AVCodecContext& codec, AVFrame& frame, int flags);

  // The pool buffer a picture lies in; empty: it lies in the decoder's own memory.
  BufferRef buffer_of(const AVFrame& frame) const;
  // True when pictures of this kind can lie in the pool at all; else they have to be copied or converted.
  static bool can_hold(const AVCodecContext& codec, AVPixelFormat format);

  // What the pool must offer for the decoder's pictures as they are now.
  const SourceInfo& needed() const { return needed_; }
  // Gives back the buffer kept ready; the pool is no longer used.
  void release();
  // The rotation that types passed to the source context carry.
  void set_rotation(int degrees) { needed_.type.rotation = rotation_ = degrees; }
  // Why `get` failed; cleared by reading.
  std::optional<Status> take_failure();

 private:
  struct Layout;
  Status update_need(AVCodecContext& codec, const AVFrame& frame, Layout& layout);
  // Tells the source context when the pool no longer fits.
  Status announce();
  AVBufferRef* lend(const Layout& layout);
  int get_own(AVCodecContext& codec, AVFrame& frame, int flags);

  BufferLender<BufferRef> lender_;
  SourceContext* context_ = nullptr;
  BufferRef spare_;
  LibavPtr<AVBufferRef> own_;  // of the last picture that lies in the decoder's own memory
  SourceInfo needed_;          // by the decoder, as of the last picture
  SourceInfo announced_;       // what the pool was made for
  int rotation_ = 0;
  int max_width_ = 16384;
  int max_height_ = 16384;
  std::optional<Status> failure_;
};

}  // namespace sluice
