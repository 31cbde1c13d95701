// Work that waits for a thread: both lists are bounded by the units' concurrency, which the flow core keeps,
// and allocate only when they are made.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "framework/graph/flow_core.h"

namespace sluice {

// Frames that a unit with its own threads is to run. Any thread.
class Inbox {
 public:
  explicit Inbox(int concurrency) { slots_.reserve(static_cast<std::size_t>(concurrency)); }
  void put(Slot slot) {
    {
      std::lock_guard lock(mutex_);
      slots_.push_back(slot);
    }
    ready_.notify_one();
  }
  // Waits for a frame; kNoSlot: closed.
  Slot take() {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return closed_ || !slots_.empty(); });
    if (slots_.empty()) return kNoSlot;
    const Slot slot = slots_.front();
    slots_.erase(slots_.begin());
    return slot;
  }
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    ready_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<Slot> slots_;
  bool closed_ = false;
};

// A worker unit that the core has started for a frame.
struct Job {
  std::uint32_t unit = 0;
  Slot slot = kNoSlot;
};

// Jobs that no worker has taken yet, oldest first. The caller locks.
class ReadyJobs {
 public:
  void reserve(std::size_t most) { ring_.resize(most); }
  bool empty() const { return count_ == 0; }
  std::size_t size() const { return count_; }
  void put(Job job) { ring_[(first_ + count_++) % ring_.size()] = job; }
  Job take() {
    const Job job = ring_[first_];
    first_ = (first_ + 1) % ring_.size();
    --count_;
    return job;
  }

 private:
  std::vector<Job> ring_;
  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace sluice
