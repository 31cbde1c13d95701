// Latency histogram with bounded error: 32 linear steps per power of two (3 % wide), nanoseconds up to
// about 4.6 hours.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "framework/core/clock.h"

namespace sluice {

// Not thread-safe; the writer's lock or thread owns it. Copy to read.
class Histogram {
 public:
  void add(TimeNs value) {
    const std::uint64_t v = value < 0 ? 0 : static_cast<std::uint64_t>(value);
    ++counts_[static_cast<std::size_t>(bucket(v))];
    ++count_;
    sum_ += v;
    if (v > max_) max_ = v;
  }
  std::uint64_t count() const { return count_; }
  double mean_ms() const {
    return count_ ? static_cast<double>(sum_) / static_cast<double>(count_) * 1e-6 : 0;
  }
  double max_ms() const { return static_cast<double>(max_) * 1e-6; }
  // Interpolated within its bucket; 0 when empty. `q` in 0..1.
  double quantile_ms(double q) const;
  void merge(const Histogram& other);
  // What was added after `earlier`, a copy of this one then. Its maximum is the whole one's.
  Histogram since(const Histogram& earlier) const;

 private:
  static constexpr int kSubBits = 5;
  static constexpr int kBuckets = 40 << kSubBits;
  static int bucket(std::uint64_t v) {
    if (v < (1u << kSubBits)) return static_cast<int>(v);
    const int shift = static_cast<int>(std::bit_width(v)) - kSubBits - 1;
    const int index = (shift << kSubBits) + static_cast<int>(v >> shift);
    return index < kBuckets ? index : kBuckets - 1;
  }
  static double lower_bound(int bucket);

  std::array<std::uint32_t, kBuckets> counts_{};
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t max_ = 0;
};

}  // namespace sluice
