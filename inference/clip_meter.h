// How much of a quantised input its writer had to cut off, because it lies outside what the integers hold.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>

namespace sluice {

// One node that writes quantised tensors. Any thread; allocates only for the one warning.
class ClipMeter {
 public:
  static constexpr double kMost = 0.01;            // of the values: above it the user is warned
  static constexpr std::uint64_t kFewFrames = 10;  // one odd picture at the start is no reason

  // `input` is the model's name of the tensor; may be empty.
  ClipMeter(std::string node, std::string input) : node_(std::move(node)), input_(std::move(input)) {}

  // Of one frame: values cut off by more than rounding, and all of them.
  void add(std::uint64_t clipped, std::uint64_t values);
  // After the last frame: a run of few frames is judged by those.
  void finish() { judge(); }

  const std::string& node() const { return node_; }
  std::uint64_t clipped() const { return clipped_.load(std::memory_order_relaxed); }
  std::uint64_t values() const { return values_.load(std::memory_order_relaxed); }
  // What the user was told; empty: nothing.
  std::string warning() const;

 private:
  void judge();

  const std::string node_, input_;
  std::atomic<std::uint64_t> clipped_{0}, values_{0}, frames_{0};
  std::atomic<bool> warned_{false};
  mutable std::mutex mutex_;
  std::string warning_;  // under the mutex
};

}  // namespace sluice
