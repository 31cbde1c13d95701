// Lends reference-counted handles of ours to FFmpeg as AVBufferRefs, without allocating per frame on our
// side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <vector>

#include "nodes/video/libav.h"

namespace sluice {

// Handle: BufferRef or Packet. The handle is kept until libav gives its last reference back, in whatever
// thread that happens; the lender must outlive all of them (close the codec first). libav allocates its own
// AVBufferRef each time.
template <typename Handle>
class BufferLender {
 public:
  // Null when libav is out of memory.
  AVBufferRef* lend(Handle handle, std::uint8_t* data, std::size_t bytes, int flags) {
    Slot* slot = take_slot();
    slot->handle = std::move(handle);
    AVBufferRef* ref = av_buffer_create(data, bytes, &give_back, slot, flags);
    if (ref == nullptr) give_back(slot, nullptr);
    return ref;
  }

  // The handle behind a buffer of this lender; null when libav has it from elsewhere.
  const Handle* find(const AVBufferRef* ref) const {
    std::lock_guard lock(mutex_);
    if (ref == nullptr) return nullptr;
    const void* opaque = av_buffer_get_opaque(ref);
    for (const Slot& slot : slots_) {
      if (&slot == opaque) return &slot.handle;
    }
    return nullptr;
  }

 private:
  struct Slot {
    BufferLender* owner = nullptr;
    Handle handle;
  };

  Slot* take_slot() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) {
      slots_.push_back({this, {}});
      free_.reserve(slots_.size());
      return &slots_.back();
    }
    Slot* slot = free_.back();
    free_.pop_back();
    return slot;
  }

  static void give_back(void* opaque, std::uint8_t*) {
    Slot* slot = static_cast<Slot*>(opaque);
    slot->handle.reset();
    std::lock_guard lock(slot->owner->mutex_);
    slot->owner->free_.push_back(slot);
  }

  mutable std::mutex mutex_;
  std::deque<Slot> slots_;  // as many as libav ever held at once
  std::vector<Slot*> free_;
};

}  // namespace sluice
