#include "inference/value_histogram.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <numeric>

namespace sluice {
namespace {

// Values side by side: no order among them, so that the compiler uses vectors.
struct Lanes {
  static constexpr std::size_t kCount = 16;
  std::array<float, kCount> min, max;
  std::array<std::uint32_t, kCount> wrong{};  // not 0: one was not finite

  explicit Lanes(float first) {
    min.fill(first);
    max.fill(first);
  }
  void add(const float* values) {
    constexpr std::uint32_t kExponent = 0x7f800000;  // all ones: infinity or NaN
    for (std::size_t i = 0; i < kCount; ++i) {
      const float v = values[i];
      min[i] = v < min[i] ? v : min[i];
      max[i] = v > max[i] ? v : max[i];
      wrong[i] |= (std::bit_cast<std::uint32_t>(v) & kExponent) == kExponent ? 1u : 0u;
    }
  }
  Extent extent() const {
    const bool finite = std::all_of(wrong.begin(), wrong.end(), [](std::uint32_t w) { return w == 0; });
    return {*std::min_element(min.begin(), min.end()), *std::max_element(max.begin(), max.end()), finite};
  }
};

// floor, which is a call into the library without SSE4.1.
std::int64_t bin_of(double position) {
  const auto towards_zero = static_cast<std::int64_t>(position);
  return towards_zero - (position < static_cast<double>(towards_zero) ? 1 : 0);
}

}  // namespace

Extent extent_of(std::span<const float> values) {
  Lanes lanes(values[0]);
  std::size_t i = 0;
  for (; i + Lanes::kCount <= values.size(); i += Lanes::kCount) lanes.add(values.data() + i);
  std::array<float, Lanes::kCount> rest;
  rest.fill(values[0]);
  std::copy(values.begin() + static_cast<std::ptrdiff_t>(i), values.end(), rest.begin());
  lanes.add(rest.data());
  return lanes.extent();
}

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
    ++bins_[static_cast<std::size_t>(bin_of(static_cast<double>(v) * per_width) + kHalf)];
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
