// The lock of one thread that works without a pause on what others want to read: it lends it to them between
// two steps, so that nobody waits for the end of its work. Private to runtime.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace sluice {

class LentLock {
 public:
  // The worker, for as long as it works.
  class Working {
   public:
    explicit Working(LentLock& lock) : lock_(lock) { lock_.mutex_.lock(); }
    ~Working() { lock_.mutex_.unlock(); }
    Working(const Working&) = delete;

   private:
    LentLock& lock_;
  };
  // The worker, while it calls somebody who may wait for a reader.
  class Resting {
   public:
    explicit Resting(LentLock& lock) : lock_(lock) { lock_.mutex_.unlock(); }
    ~Resting() { lock_.mutex_.lock(); }
    Resting(const Resting&) = delete;

   private:
    LentLock& lock_;
  };
  // A reader; the worker itself may be one.
  class Reading {
   public:
    explicit Reading(LentLock& lock) : lock_(lock) {
      lock_.asking_.fetch_add(1);
      lock_.mutex_.lock();
    }
    ~Reading() {
      lock_.asking_.fetch_sub(1);
      ++lock_.served_;
      lock_.mutex_.unlock();
      lock_.read_.notify_one();
    }
    Reading(const Reading&) = delete;

   private:
    LentLock& lock_;
  };

  // The worker, between two steps: lets one reader in, if any asks.
  void lend() {
    if (asking_.load(std::memory_order_relaxed) == 0) return;
    std::unique_lock lock(mutex_, std::adopt_lock);
    const std::uint64_t before = served_;
    read_.wait(lock, [&] { return served_ != before || asking_.load() == 0; });
    lock.release();
  }

 private:
  std::recursive_mutex mutex_;  // the worker reads too: a callback of it may ask for a report
  std::condition_variable_any read_;
  std::atomic<int> asking_{0};
  std::uint64_t served_ = 0;  // readers that are done
};

}  // namespace sluice
