// What one infer node's runs tell the selector: written by workers without a lock, read once per control
// period.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "framework/core/clock.h"
#include "inference/selector/candidate.h"

namespace sluice {

// Any number of writers, one reader. A write is two atomic operations and never waits; of more than
// kSamples runs in a period the newest tell the latency, all are counted.
class RunMeter {
 public:
  static constexpr std::size_t kSamples = 256;

  // A run of `candidate` ended well and took `latency`.
  void add_run(std::size_t candidate, TimeNs latency) noexcept {
    const std::uint64_t at = runs_.fetch_add(1, std::memory_order_relaxed);
    const auto clipped = static_cast<std::uint64_t>(std::clamp<TimeNs>(latency, 1, kLongest));
    samples_[at % kSamples].store(clipped << 8 | candidate, std::memory_order_relaxed);
  }
  // A run of `candidate` failed or hung through the fault of its backend.
  void add_failure(std::size_t candidate) noexcept {
    failures_[candidate].fetch_add(1, std::memory_order_relaxed);
    failed_.store(true, std::memory_order_release);
  }
  // A failure has come that no `take` has seen.
  bool failed() const noexcept { return failed_.load(std::memory_order_acquire); }

  struct Period {
    double latency_ms = 0;   // median of the runs of the candidate asked for; 0: none
    std::uint64_t runs = 0;  // of all candidates
    std::array<std::uint32_t, kMostCandidates> failures{};
  };
  // What came since the call before. Allocates nothing.
  Period take(int candidate) noexcept;

 private:
  static constexpr TimeNs kLongest = TimeNs{1} << 55;

  std::atomic<std::uint64_t> runs_{0};
  std::array<std::atomic<std::uint64_t>, kSamples> samples_{};  // latency in ns << 8 | candidate; 0: taken
  std::array<std::atomic<std::uint32_t>, kMostCandidates> failures_{};
  std::atomic<bool> failed_{false};
  std::uint64_t taken_ = 0;  // the reader's
};

}  // namespace sluice
