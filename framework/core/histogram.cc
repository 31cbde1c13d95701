#include "framework/core/histogram.h"

#include <algorithm>

namespace sluice {

double Histogram::lower_bound(int bucket) {
  if (bucket < (2 << kSubBits)) return bucket;
  const int shift = (bucket >> kSubBits) - 1;
  const int mantissa = bucket - (shift << kSubBits);
  return static_cast<double>(static_cast<std::uint64_t>(mantissa) << shift);
}

double Histogram::quantile_ms(double q) const {
  if (count_ == 0) return 0;
  const double rank = std::clamp(q, 0.0, 1.0) * static_cast<double>(count_);
  double seen = 0;
  for (int b = 0; b < kBuckets; ++b) {
    const double here = counts_[b];
    if (here == 0 || seen + here < rank) {
      seen += here;
      continue;
    }
    const double low = lower_bound(b);
    const double high = lower_bound(b + 1);
    const double value = low + (high - low) * std::max(0.0, rank - seen) / here;
    return std::min(value, static_cast<double>(max_)) * 1e-6;
  }
  return max_ms();
}

void Histogram::merge(const Histogram& other) {
  for (int b = 0; b < kBuckets; ++b) counts_[b] += other.counts_[b];
  count_ += other.count_;
  sum_ += other.sum_;
  max_ = std::max(max_, other.max_);
}

Histogram Histogram::since(const Histogram& earlier) const {
  Histogram out = *this;
  for (int b = 0; b < kBuckets; ++b) out.counts_[b] -= earlier.counts_[b];
  out.count_ -= earlier.count_;
  out.sum_ -= earlier.sum_;
  return out;
}

}  // namespace sluice
