// The part that buffer and packet pools share: a lock-free list of free indices with counts, and the pool's
// own life.
#pragma once

#include <atomic>
#include <boost/lockfree/stack.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "framework/core/buffer.h"

namespace sluice::detail {

class FreeList {
 public:
  static constexpr std::uint32_t kEmpty = UINT32_MAX;

  FreeList(std::string name, std::size_t bytes_each, std::uint32_t count)
      : name_(std::move(name)), bytes_each_(bytes_each), count_(count), free_(count) {
    for (std::uint32_t i = count; i > 0; --i) free_.bounded_push(i - 1);
  }

  // kEmpty when all are out (counted).
  std::uint32_t take() {
    std::uint32_t index = kEmpty;
    if (!free_.pop(index)) {
      exhausted_.fetch_add(1, std::memory_order_relaxed);
      starving_.store(true, std::memory_order_seq_cst);
      // One came back between the two lines: nobody would tell us of it.
      if (!free_.pop(index)) return kEmpty;
    }
    const std::uint32_t used = in_use_.fetch_add(1, std::memory_order_relaxed) + 1;
    std::uint32_t high = high_water_.load(std::memory_order_relaxed);
    while (used > high && !high_water_.compare_exchange_weak(high, used, std::memory_order_relaxed)) {
    }
    return index;
  }

  void put(std::uint32_t index) {
    in_use_.fetch_sub(1, std::memory_order_relaxed);
    free_.bounded_push(index);
    if (starving_.load(std::memory_order_seq_cst) && starving_.exchange(false) && on_available_)
      on_available_();
  }

  void on_available(std::function<void()> callback) { on_available_ = std::move(callback); }
  const std::string& name() const { return name_; }
  std::size_t bytes_each() const { return bytes_each_; }
  std::uint32_t count() const { return count_; }
  PoolStats stats() const {
    return {count_, bytes_each_, in_use_.load(std::memory_order_relaxed),
            high_water_.load(std::memory_order_relaxed), exhausted_.load(std::memory_order_relaxed)};
  }

  // The pool's owner and each element that is out hold one reference; true for the one that lets go last.
  void hold() { life_.fetch_add(1, std::memory_order_relaxed); }
  bool let_go() { return life_.fetch_sub(1, std::memory_order_acq_rel) == 1; }

 private:
  const std::string name_;
  const std::size_t bytes_each_;
  const std::uint32_t count_;
  boost::lockfree::stack<std::uint32_t, boost::lockfree::fixed_sized<true>> free_;
  std::atomic<std::uint32_t> in_use_{0};
  std::atomic<std::uint32_t> high_water_{0};
  std::atomic<std::uint64_t> exhausted_{0};
  std::atomic<bool> starving_{false};
  std::atomic<std::uint32_t> life_{1};
  std::function<void()> on_available_;
};

}  // namespace sluice::detail
