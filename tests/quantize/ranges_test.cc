#include "quantize/ranges.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace sluice::quantize {
namespace {

std::vector<float> normal(std::size_t count, std::uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> draw(0.0f, 1.0f);
  std::vector<float> out(count);
  for (float& v : out) v = draw(engine);
  return out;
}

ValueHistogram histogram(std::span<const float> values) {
  ValueHistogram out;
  out.add(values);
  return out;
}

bool same(const ValueHistogram& a, const ValueHistogram& b) {
  return a.count() == b.count() && a.zeros() == b.zeros() && a.min() == b.min() && a.max() == b.max() &&
         a.width() == b.width() &&
         std::equal(a.bins().begin(), a.bins().end(), b.bins().begin(), b.bins().end());
}

TEST(ValueHistogram, OrderAndGroupingDoNotMatter) {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 engine(seed);
    std::vector<float> values = normal(2000, seed);
    for (std::size_t i = 0; i < values.size(); i += 7) values[i] = 0;
    for (std::size_t i = 3; i < values.size(); i += 101)
      values[i] *= std::exp2(static_cast<float>(engine() % 12));
    const ValueHistogram whole = histogram(values);
    std::shuffle(values.begin(), values.end(), engine);
    const std::size_t cut = engine() % values.size();
    ValueHistogram parts = histogram(std::span(values).first(cut));
    parts.add(std::span(values).subspan(cut));
    EXPECT_TRUE(same(whole, parts));
    ValueHistogram merged = histogram(std::span(values).first(cut));
    merged.merge(histogram(std::span(values).subspan(cut)));
    EXPECT_TRUE(same(whole, merged));
  }
}

TEST(ValueHistogram, EveryValueIsInItsBin) {
  const std::vector<float> values = {-4.0f, -3.999f, -0.001f, 0.0f, 0.001f, 3.999f, 4.0f};
  const ValueHistogram h = histogram(values);
  EXPECT_EQ(h.count(), 7u);
  EXPECT_EQ(h.zeros(), 1u);
  std::uint64_t binned = 0;
  for (std::size_t i = 0; i < h.bins().size(); ++i) {
    const double low = (static_cast<double>(i) - ValueHistogram::kHalf) * h.width();
    const auto inside = std::count_if(values.begin(), values.end(),
                                      [&](float v) { return v != 0 && v >= low && v < low + h.width(); });
    EXPECT_EQ(h.bins()[i], static_cast<std::uint64_t>(inside));
    binned += h.bins()[i];
  }
  EXPECT_EQ(binned, 6u);
}

TEST(ValueHistogram, CountsWhatIsNotFiniteApart) {
  const std::vector<float> values = {1.0f, NAN, std::numeric_limits<float>::infinity(), -2.0f};
  const ValueHistogram h = histogram(values);
  EXPECT_EQ(h.not_finite(), 2u);
  EXPECT_EQ(h.count(), 2u);
  EXPECT_EQ(h.min(), -2.0f);
  EXPECT_EQ(h.max(), 1.0f);
}

TEST(ValueHistogram, StoredAndReadBackIsTheSame) {
  const ValueHistogram h = histogram(normal(1000, 5));
  const auto back = ValueHistogram::from(h.store());
  ASSERT_TRUE(back);
  EXPECT_TRUE(same(h, *back));
  auto broken = h.store();
  broken.counts[0] += 1;
  EXPECT_FALSE(ValueHistogram::from(broken));
  broken = h.store();
  broken.first = 2 * ValueHistogram::kHalf;
  EXPECT_FALSE(ValueHistogram::from(broken));
}

TEST(Ranges, MinMaxIsWhatWasSeen) {
  const Range r = choose_range(histogram(std::vector<float>{-3.0f, 0.5f, 7.0f}), RangeMethod::kMinMax, 8);
  EXPECT_EQ(r.min, -3.0f);
  EXPECT_EQ(r.max, 7.0f);
}

TEST(Ranges, PercentileLeavesOutTheOutermost) {
  std::vector<float> values = normal(100000, 1);
  values[0] = 1000.0f;
  values[1] = -1000.0f;
  const ValueHistogram h = histogram(values);
  const Range r = choose_range(h, RangeMethod::kPercentile, 8);
  EXPECT_GT(r.max, 3.0f);
  EXPECT_LT(r.max, 6.0f);
  EXPECT_LT(r.min, -3.0f);
  EXPECT_GT(r.min, -6.0f);
}

double measured_mse(const std::vector<float>& values, const Range& range, int bits) {
  const Encoding e = asymmetric(range, bits);
  double sum = 0;
  for (const float v : values) {
    const double back = (static_cast<double>(quantise(v, e)) - e.zero_point[0]) * e.scale[0];
    sum += (back - v) * (back - v);
  }
  return sum / static_cast<double>(values.size());
}

// With few steps the rare outermost values are not worth their room.
TEST(Ranges, MseClipsWhereThatPays) {
  constexpr int kBits = 4;
  const std::vector<float> values = normal(50000, 2);
  const ValueHistogram h = histogram(values);
  const Range best = choose_range(h, RangeMethod::kMse, kBits);
  const double error = measured_mse(values, best, kBits);
  EXPECT_LT(error, 0.7 * measured_mse(values, choose_range(h, RangeMethod::kMinMax, kBits), kBits));
  // No other symmetric clip is much better than what was chosen.
  for (float clip = 1.0f; clip < 5.0f; clip *= 1.1f)
    EXPECT_LT(error, 1.1 * measured_mse(values, {-clip, clip}, kBits)) << clip;
}

TEST(Ranges, MseIsNotBehindMinMaxWithEightBits) {
  for (const std::uint32_t seed : {2u, 3u, 4u}) {
    std::vector<float> values = normal(20000, seed);
    for (float& v : values) v = v * v * v;  // heavy tails
    const ValueHistogram h = histogram(values);
    EXPECT_LT(measured_mse(values, choose_range(h, RangeMethod::kMse, 8), 8),
              1.05 * measured_mse(values, choose_range(h, RangeMethod::kMinMax, 8), 8))
        << seed;
  }
}

TEST(Ranges, WithSixteenBitsNothingMuchIsClipped) {
  const ValueHistogram h = histogram(normal(50000, 3));
  const Range r = choose_range(h, RangeMethod::kMse, 16);
  EXPECT_LT(r.min, 0.9f * h.min());
  EXPECT_GT(r.max, 0.9f * h.max());
}

TEST(Ranges, OnlyZeros) {
  for (const RangeMethod method : {RangeMethod::kMinMax, RangeMethod::kPercentile, RangeMethod::kMse}) {
    const Range r = choose_range(histogram(std::vector<float>(10, 0.0f)), method, 8);
    EXPECT_EQ(r.min, 0.0f);
    EXPECT_EQ(r.max, 0.0f);
  }
}

}  // namespace
}  // namespace sluice::quantize
