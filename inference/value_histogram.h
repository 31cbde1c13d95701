// The distribution of a tensor's values over many runs: bounded memory, mergeable, and the same whatever the
// order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sluice {

// The least and the greatest of some values, which are not empty. Where not all are finite they mean nothing.
struct Extent {
  float min = 0, max = 0;
  bool finite = true;
};
Extent extent_of(std::span<const float> values);

// Bins are as wide as a power of two, with an edge at zero; when a value does not fit, the width doubles and
// neighbours merge, so that counts depend on the values alone. Between kHalf / 2 and kHalf bins per side are
// in use. Not thread-safe.
class ValueHistogram {
 public:
  static constexpr std::int64_t kHalf = 4096;  // bins per sign

  // Values that are not finite are counted in `not_finite` and nowhere else.
  void add(std::span<const float> values);
  void merge(const ValueHistogram& other);

  std::uint64_t count() const { return count_; }  // finite ones
  std::uint64_t zeros() const { return zeros_; }  // exact ones, which are in no bin
  std::uint64_t not_finite() const { return not_finite_; }
  // Of the finite values; 0 when there are none.
  float min() const { return min_; }
  float max() const { return max_; }
  // Width of a bin; 0 while only zeros have come.
  double width() const;
  // Bin i holds what lies in [(i - kHalf) * width, (i + 1 - kHalf) * width); empty while only zeros have
  // come.
  std::span<const std::uint64_t> bins() const { return bins_; }

  // As it is stored; `from` refuses what cannot be one.
  struct Stored {
    std::uint64_t count = 0, zeros = 0, not_finite = 0;
    float min = 0, max = 0;
    int exponent = 0;
    std::int64_t first = 0;  // index of the first bin in `counts`
    std::vector<std::uint64_t> counts;
  };
  Stored store() const;
  static std::optional<ValueHistogram> from(const Stored& stored);

 private:
  void grow_to(double magnitude);
  void widen(int exponent);

  std::uint64_t count_ = 0, zeros_ = 0, not_finite_ = 0;
  float min_ = 0, max_ = 0;
  int exponent_ = 0;  // width = 2^exponent
  std::vector<std::uint64_t> bins_;
};

}  // namespace sluice
