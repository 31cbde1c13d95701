// Buffers of fixed size from pools that the plan sized. Nothing is allocated once a pool is made.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "framework/core/status.h"

namespace sluice {

// Where the bytes lie: in the process's own memory, in memory that an accelerator reads and writes in place,
// in an accelerator's own.
enum class MemoryKind : std::uint8_t { kHost, kShared, kDevice };

// Most elements of one pool: Boost.Lockfree's lists of fixed size number them with 16 bits.
inline constexpr std::size_t kMostInPool = 65'535;

class BufferPool;
class MemorySource;  // framework/core/memory_source.h

namespace detail {
struct BufferCell {
  std::atomic<std::uint32_t> refs{0};
  std::uint32_t index = 0;
  std::byte* data = nullptr;
  BufferPool* pool = nullptr;  // null: foreign memory
  std::function<void()> on_free;
};
void release_buffer(BufferCell* cell);
}  // namespace detail

// Reference-counted handle, one pointer wide; the last one returns the buffer to its pool. Any thread.
class BufferRef {
 public:
  BufferRef() = default;
  BufferRef(const BufferRef& other) : cell_(other.cell_) {
    if (cell_) cell_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  BufferRef(BufferRef&& other) noexcept : cell_(other.cell_) { other.cell_ = nullptr; }
  BufferRef& operator=(BufferRef other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~BufferRef() { reset(); }

  // Wraps memory that somebody else owns; `on_free` runs when the last handle goes. Allocates: not for hot
  // paths.
  static BufferRef foreign(std::byte* data, std::function<void()> on_free);

  void reset() {
    if (cell_ && cell_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) detail::release_buffer(cell_);
    cell_ = nullptr;
  }
  explicit operator bool() const { return cell_ != nullptr; }
  std::byte* data() const { return cell_->data; }
  // Index within its pool (to find what a session bound to this buffer); 0 for foreign memory.
  std::uint32_t index() const { return cell_->index; }
  // True when nobody else holds it: it may be written in place.
  bool unique() const { return cell_->refs.load(std::memory_order_acquire) == 1; }
  const void* id() const { return cell_; }

 private:
  friend class BufferPool;
  explicit BufferRef(detail::BufferCell* cell) : cell_(cell) {}
  detail::BufferCell* cell_ = nullptr;
};

struct PoolStats {
  std::size_t buffers = 0;
  std::size_t bytes_each = 0;
  std::size_t in_use = 0;
  std::size_t high_water = 0;
  std::uint64_t exhausted = 0;  // how often acquire found it empty
};

// 64-byte aligned buffers of one size on a Boost.Lockfree free list; poisoned on return in debug builds.
// Created in one thread, used from any. Keeps itself alive until its last buffer is back, so packets may
// outlive the pipeline.
class BufferPool {
 public:
  struct Deleter {
    void operator()(BufferPool* pool) const;
  };
  using Ptr = std::unique_ptr<BufferPool, Deleter>;

  // In memory of the process's own, or from `source`: then each buffer is an allocation, because drivers
  // flush and map whole ones. kFailed when memory cannot be had; nothing is kept then. Touches each page, so
  // that no page fault is left for the hot path.
  static Result<Ptr> create(std::string name, std::size_t bytes_each, std::size_t buffers,
                            std::shared_ptr<MemorySource> source = nullptr);
  BufferPool(const BufferPool&) = delete;
  BufferPool& operator=(const BufferPool&) = delete;

  // An empty handle when all buffers are out (counted). Lock-free, no allocation.
  BufferRef acquire();
  // Called (from the releasing thread) after a buffer came back while `acquire` had failed before. Set before
  // use.
  void on_available(std::function<void()> callback);
  PoolStats stats() const;
  const std::string& name() const;
  std::size_t bytes_each() const;
  MemoryKind kind() const;

 private:
  friend void detail::release_buffer(detail::BufferCell* cell);
  struct Impl;
  explicit BufferPool(std::unique_ptr<Impl> impl);
  ~BufferPool();
  void give_back(detail::BufferCell* cell);
  void drop_owner();
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
