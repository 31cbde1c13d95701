// Packet: a reference-counted handle to one value (picture, tensor, detections, ...) that travels along
// edges. A value is written by the node that made it and is read-only once emitted.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "framework/core/buffer.h"
#include "framework/core/frame.h"
#include "framework/core/image.h"
#include "framework/core/results.h"
#include "framework/core/tensor.h"

namespace sluice {

// A tensor in a buffer. `type` is owned by the plan and shared; its shape is static.
struct Tensor {
  std::shared_ptr<const TensorType> type;
  BufferRef buffer;
  std::byte* data = nullptr;  // first element, dense, row-major
  std::size_t bytes = 0;
  Geometry geometry;  // for tensors made from a picture: grid -> source pixels
};

// Describes a payload type once per process; compared by address.
struct PayloadType {
  std::string_view name;  // "frame", "tensor", "detections", "classes", or a custom type's
  void* (*create)();
  void (*destroy)(void*);
  void (*recycle)(void*);  // gives back what the value holds (buffers); called when the last handle goes
};

// What happens to a value between two uses; overload it for types that hold buffers.
inline void recycle_payload(Image& image) { image.buffer.reset(); }
inline void recycle_payload(Tensor& tensor) { tensor.buffer.reset(); }
inline void recycle_payload(Detections& detections) { detections.clear(); }
inline void recycle_payload(Classes& classes) { classes.count = 0; }
template <typename T>
void recycle_payload(T&) {}

template <typename T>
struct PayloadName {
  static constexpr std::string_view value = T::kPayloadName;  // custom types name themselves
};
template <>
struct PayloadName<Image> {
  static constexpr std::string_view value = "frame";
};
template <>
struct PayloadName<Tensor> {
  static constexpr std::string_view value = "tensor";
};
template <>
struct PayloadName<Detections> {
  static constexpr std::string_view value = "detections";
};
template <>
struct PayloadName<Classes> {
  static constexpr std::string_view value = "classes";
};

template <typename T>
const PayloadType* payload_type() {
  static const PayloadType type{PayloadName<T>::value, [] { return static_cast<void*>(new T()); },
                                [](void* p) { delete static_cast<T*>(p); },
                                [](void* p) { recycle_payload(*static_cast<T*>(p)); }};
  return &type;
}

class PacketPool;

namespace detail {
struct PacketCell {
  std::atomic<std::uint32_t> refs{0};
  PacketPool* pool = nullptr;
  void* value = nullptr;
  FrameInfo frame;
};
void release_packet(PacketCell* cell);
}  // namespace detail

// One pointer wide; any thread.
class Packet {
 public:
  Packet() = default;
  Packet(const Packet& other) : cell_(other.cell_) {
    if (cell_) cell_->refs.fetch_add(1, std::memory_order_relaxed);
  }
  Packet(Packet&& other) noexcept : cell_(other.cell_) { other.cell_ = nullptr; }
  Packet& operator=(Packet other) noexcept {
    std::swap(cell_, other.cell_);
    return *this;
  }
  ~Packet() { reset(); }
  void reset() {
    if (cell_ && cell_->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) detail::release_packet(cell_);
    cell_ = nullptr;
  }

  explicit operator bool() const { return cell_ != nullptr; }
  const PayloadType* type() const;
  const FrameInfo& frame() const { return cell_->frame; }
  // Null when the packet is empty or holds something else.
  template <typename T>
  const T* get() const {
    return cell_ && type() == payload_type<T>() ? static_cast<const T*>(cell_->value) : nullptr;
  }
  // For the node that made it, before it is emitted.
  template <typename T>
  T* edit() {
    return cell_ && type() == payload_type<T>() ? static_cast<T*>(cell_->value) : nullptr;
  }
  // For sources: the frame is known only after the capture was made.
  void set_frame(const FrameInfo& frame) { cell_->frame = frame; }
  bool unique() const { return cell_->refs.load(std::memory_order_acquire) == 1; }

 private:
  friend class PacketPool;
  explicit Packet(detail::PacketCell* cell) : cell_(cell) {}
  detail::PacketCell* cell_ = nullptr;
};

// A fixed number of packets of one payload type; same life and threads as BufferPool.
class PacketPool {
 public:
  struct Deleter {
    void operator()(PacketPool* pool) const;
  };
  using Ptr = std::unique_ptr<PacketPool, Deleter>;
  static Ptr create(std::string name, const PayloadType* type, std::size_t packets);
  PacketPool(const PacketPool&) = delete;
  PacketPool& operator=(const PacketPool&) = delete;

  // Empty when all are out (counted). The value is as its last user left it, recycled.
  Packet acquire(const FrameInfo& frame);
  // Calls `f` with the value of each packet; before use.
  void for_each_value(const std::function<void(void* value)>& f);
  void on_available(std::function<void()> callback);
  PoolStats stats() const;
  const PayloadType* type() const;

 private:
  friend void detail::release_packet(detail::PacketCell* cell);
  friend class Packet;
  struct Impl;
  explicit PacketPool(std::unique_ptr<Impl> impl);
  ~PacketPool();
  void give_back(detail::PacketCell* cell);
  void drop_owner();
  std::unique_ptr<Impl> impl_;
};

}  // namespace sluice
