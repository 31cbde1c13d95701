#include "inference/value_histogram.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

struct Extent {
  float min = 0, max = 0;
  bool finite = true;
};

// Simple loops that the compiler vectorises; NaN fails both comparisons and is found by the sum.
Extent extent_of(std::span<const float> values) {
  Extent out{values[0], values[0], true};
  float nothing = 0;
  for (const float v : values) {
    out.min = v < out.min ? v : out.min;
    out.max = v > out.max ? v : out.max;
    nothing += v * 0.0f;  // NaN for what is not finite
  }
  out.finite = nothing == 0.0f;
  return out;
}

}  // namespace

double ValueHistogram::width() const { return bins_.empty() ? 0.0 : std::ldexp(1.0, exponent_); }

void ValueHistogram::add(std::span<const float> values) {
  if (values.empty()) return;
  Extent extent = extent_of(values);
  if (!extent.finite) {
    std::vector<float> finite;
    std::copy_if(values.begin(), values.end(), std::back_inserter(finite),
                 [](float v) { return std::isfinite(v); });
    not_finite_ += values.size() - finite.size();
    add(finite);
    return;
  }
  min_ = count_ == 0 ? extent.min : std::min(min_, extent.min);
  max_ = count_ == 0 ? extent.max : std::max(max_, extent.max);
  count_ += values.size();
  grow_to(std::max(-static_cast<double>(extent.min), static_cast<double>(extent.max)));
  if (bins_.empty()) {
    zeros_ += values.size();
    return;
  }
  const double per_width = std::ldexp(1.0, -exponent_);
  for (const float v : values) {
    if (v == 0.0f) {
      ++zeros_;
      continue;
    }
    const auto bin = static_cast<std::int64_t>(std::floor(static_cast<double>(v) * per_width));
    ++bins_[static_cast<std::size_t>(bin + kHalf)];
  }
}

void ValueHistogram::grow_to(double magnitude) {
  if (magnitude <= 0) return;
  // The least exponent for which the magnitude is inside; -kHalf * width itself belongs to the lowest bin,
  // but the highest ends before +kHalf * width.
  int exponent = 0;
  std::frexp(magnitude, &exponent);  // magnitude < 2^exponent
  exponent -= 12;                    // kHalf = 2^12
  if (bins_.empty()) {
    bins_.assign(2 * kHalf, 0);
    exponent_ = exponent;
  } else if (exponent > exponent_) {
    widen(exponent);
  }
}

void ValueHistogram::widen(int exponent) {
  const int shift = std::min(exponent - exponent_, 62);
  std::vector<std::uint64_t> wide(2 * kHalf, 0);
  for (std::int64_t i = 0; i < 2 * kHalf; ++i) {
    const std::int64_t bin = (i - kHalf) >> shift;  // floor, also below zero
    wide[static_cast<std::size_t>(bin + kHalf)] += bins_[static_cast<std::size_t>(i)];
  }
  bins_ = std::move(wide);
  exponent_ = exponent;
}

void ValueHistogram::merge(const ValueHistogram& other) {
  if (other.count_ > 0) {
    min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
    max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  }
  count_ += other.count_;
  zeros_ += other.zeros_;
  not_finite_ += other.not_finite_;
  if (other.bins_.empty()) return;
  if (bins_.empty()) {
    bins_ = other.bins_;
    exponent_ = other.exponent_;
    return;
  }
  ValueHistogram theirs = other;
  if (theirs.exponent_ < exponent_) theirs.widen(exponent_);
  if (exponent_ < theirs.exponent_) widen(theirs.exponent_);
  for (std::size_t i = 0; i < bins_.size(); ++i) bins_[i] += theirs.bins_[i];
}

ValueHistogram::Stored ValueHistogram::store() const {
  Stored out{count_, zeros_, not_finite_, min_, max_, exponent_, 0, {}};
  const auto used = [](std::uint64_t n) { return n > 0; };
  const auto first = std::find_if(bins_.begin(), bins_.end(), used);
  if (first == bins_.end()) return out;
  const auto last = std::find_if(bins_.rbegin(), bins_.rend(), used).base();
  out.first = first - bins_.begin();
  out.counts.assign(first, last);
  return out;
}

std::optional<ValueHistogram> ValueHistogram::from(const Stored& stored) {
  const auto size = static_cast<std::int64_t>(stored.counts.size());
  const bool places = stored.first >= 0 && size <= 2 * kHalf && stored.first <= 2 * kHalf - size;
  const bool numbers = std::isfinite(stored.min) && std::isfinite(stored.max) && stored.min <= stored.max &&
                       stored.exponent > -200 && stored.exponent < 200;
  std::uint64_t sum = stored.zeros;
  for (const std::uint64_t n : stored.counts) {
    if (__builtin_add_overflow(sum, n, &sum)) return std::nullopt;
  }
  if (!places || !numbers || sum != stored.count) return std::nullopt;
  ValueHistogram out;
  out.count_ = stored.count;
  out.zeros_ = stored.zeros;
  out.not_finite_ = stored.not_finite;
  out.min_ = stored.min;
  out.max_ = stored.max;
  if (size == 0) return out;
  out.exponent_ = stored.exponent;
  out.bins_.assign(2 * kHalf, 0);
  std::copy(stored.counts.begin(), stored.counts.end(), out.bins_.begin() + stored.first);
  return out;
}

}  // namespace sluice
