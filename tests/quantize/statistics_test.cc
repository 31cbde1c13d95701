#include "quantize/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// x -> Conv -> Relu -> y
pb::ModelProto network() {
  NetworkBuilder b(13);
  b.input("x", {1, 2, 5, 7}).random("w", {3, 2, 3, 3}, 1).output("y", {1, 3, 3, 5});
  b.node("Conv", {"x", "w"}, {"c"});
  b.node("Relu", {"c"}, {"y"});
  return b.model;
}

TEST(Statistics, ExtremesAreThoseOfTheDistribution) {
  RandomSamples samples({1, 2, 5, 7}, 6, 3);
  const auto all = collect(network(), samples, {}, Detail::kDistribution);
  const auto ends = collect(network(), samples, {}, Detail::kExtremes);
  ASSERT_TRUE(all.ok() && ends.ok());
  EXPECT_EQ(all->samples, ends->samples);
  ASSERT_EQ(all->tensors.size(), 2u) << "the input, and what has a type";
  for (const auto& [name, values] : all->tensors) {
    const ValueHistogram& found = ends->tensors.at(name);
    EXPECT_EQ(found.min(), values.min()) << name;
    EXPECT_EQ(found.max(), values.max()) << name;
    EXPECT_LT(found.count(), values.count()) << name;
  }
}

// Whatever the length, and wherever the odd one stands.
TEST(Statistics, ExtentOfAnyNumberOfValues) {
  for (std::size_t size = 1; size < 40; ++size) {
    for (std::size_t odd = 0; odd < size; ++odd) {
      std::vector<float> values(size, 1.0f);
      values[odd] = -2.5f;
      const Extent low = extent_of(values);
      EXPECT_TRUE(low.min == -2.5f && low.max == (size > 1 ? 1.0f : -2.5f) && low.finite)
          << size << " " << odd;
      values[odd] = 7.5f;
      EXPECT_EQ(extent_of(values).max, 7.5f) << size << " " << odd;
      for (const float wrong :
           {std::nanf(""), std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()}) {
        values[odd] = wrong;
        EXPECT_FALSE(extent_of(values).finite) << size << " " << odd;
      }
    }
  }
}

}  // namespace
}  // namespace sluice::quantize
