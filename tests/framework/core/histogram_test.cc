#include "framework/core/histogram.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  const Histogram h;
  EXPECT_EQ(h.count(), 0u);
  EXPECT_EQ(h.quantile_ms(0.5), 0);
  EXPECT_EQ(h.mean_ms(), 0);
}

// Every quantile within the width of a bucket (1/32) of the exact one.
TEST(Histogram, QuantilesAreWithinTheBucketWidth) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::vector<TimeNs> values;
    Histogram h;
    for (int i = 0; i < 5000; ++i) {
      values.push_back(static_cast<TimeNs>(random() % (std::uint64_t{1} << (10 + random() % 24))));
      h.add(values.back());
    }
    std::sort(values.begin(), values.end());
    for (double q : {0.5, 0.9, 0.95, 0.99}) {
      const double exact = to_ms(values[static_cast<std::size_t>(q * 5000)]);
      EXPECT_NEAR(h.quantile_ms(q), exact, exact * 0.06 + 1e-6) << q;
    }
    EXPECT_DOUBLE_EQ(h.max_ms(), to_ms(values.back()));
  }
}

TEST(Histogram, MergeAddsUp) {
  Histogram a, b;
  a.add(from_ms(1));
  b.add(from_ms(3));
  a.merge(b);
  EXPECT_EQ(a.count(), 2u);
  EXPECT_DOUBLE_EQ(a.mean_ms(), 2.0);
  EXPECT_DOUBLE_EQ(a.max_ms(), 3.0);
}

TEST(Histogram, TakesNegativeAndHugeValues) {
  Histogram h;
  h.add(-5);
  h.add(kNever);
  EXPECT_EQ(h.count(), 2u);
  EXPECT_GT(h.quantile_ms(1.0), 0);
}

TEST(Histogram, SinceIsWhatWasAddedAfterwards) {
  Histogram all;
  for (int i = 0; i < 100; ++i) all.add(from_ms(50));
  const Histogram earlier = all;
  for (int i = 0; i < 10; ++i) all.add(from_ms(8));
  const Histogram later = all.since(earlier);
  EXPECT_EQ(later.count(), 10u);
  EXPECT_NEAR(later.quantile_ms(0.5), 8, 0.3);
  EXPECT_NEAR(later.mean_ms(), 8, 1e-9);
}

}  // namespace
}  // namespace sluice
