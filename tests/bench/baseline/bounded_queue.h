// A bounded queue between two or more threads: a ring, one mutex, two condition variables.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace baseline {

template <typename T, size_t Capacity>
class BoundedQueue {
 public:
  // Waits while the queue is full.
  void push(T value) {
    {
      std::unique_lock lock(mutex_);
      not_full_.wait(lock, [this] { return count_ < Capacity; });
      ring_[(first_ + count_) % Capacity] = value;
      ++count_;
    }
    not_empty_.notify_one();
  }

  // Waits while the queue is empty; false when it is empty and closed.
  bool pop(T& value) {
    {
      std::unique_lock lock(mutex_);
      not_empty_.wait(lock, [this] { return count_ > 0 || closed_; });
      if (count_ == 0) return false;
      value = ring_[first_];
      first_ = (first_ + 1) % Capacity;
      --count_;
    }
    not_full_.notify_one();
    return true;
  }

  // Nothing more will be pushed.
  void close() {
    {
      const std::lock_guard lock(mutex_);
      closed_ = true;
    }
    not_empty_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable not_full_;
  std::condition_variable not_empty_;
  std::array<T, Capacity> ring_{};
  size_t first_ = 0;
  size_t count_ = 0;
  bool closed_ = false;
};

}  // namespace baseline
