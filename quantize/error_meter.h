// How far one run of a tensor is from another, summed over any number of samples.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

namespace sluice::quantize {

// Identical tensors would have an infinite ratio; it ends here.
constexpr double kMostSnr = 200.0;

class ErrorMeter {
 public:
  // Both of the same length. What is not finite on either side is counted and left out.
  void add(std::span<const float> reference, std::span<const float> value) {
    for (std::size_t i = 0; i < std::min(reference.size(), value.size()); ++i) {
      const double r = reference[i], v = value[i], error = v - r;
      if (!std::isfinite(error)) {
        ++not_finite_;
        continue;
      }
      ++count_;
      signal_ += r * r;
      other_ += v * v;
      product_ += r * v;
      error_ += error * error;
      largest_ = std::max(largest_, std::abs(error));
    }
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t not_finite() const { return not_finite_; }
  double mse() const { return count_ == 0 ? 0.0 : error_ / static_cast<double>(count_); }
  double max_abs() const { return largest_; }
  // 10 log10(signal / error), within +-kMostSnr.
  double snr_db() const {
    if (error_ == 0) return kMostSnr;
    if (signal_ == 0) return -kMostSnr;
    return std::clamp(10.0 * std::log10(signal_ / error_), -kMostSnr, kMostSnr);
  }
  // 1 when both are zero throughout.
  double cosine() const {
    if (signal_ == 0 && other_ == 0) return 1.0;
    return signal_ == 0 || other_ == 0 ? 0.0 : product_ / std::sqrt(signal_ * other_);
  }

 private:
  std::uint64_t count_ = 0, not_finite_ = 0;
  double signal_ = 0, other_ = 0, product_ = 0, error_ = 0, largest_ = 0;
};

}  // namespace sluice::quantize
