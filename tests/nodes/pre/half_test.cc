#include "framework/core/half.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <vector>

namespace sluice {
namespace {

bool is_nan(std::uint16_t half) { return (half & 0x7fff) > 0x7c00; }

TEST(Half, EveryValueSurvivesTheWayThereAndBack) {
  std::vector<std::uint16_t> all(65536);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint16_t>(i);
  std::vector<float> wide(all.size());
  std::vector<std::uint16_t> back(all.size());
  from_half(all.data(), all.size(), wide.data());
  to_half(wide.data(), wide.size(), back.data());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (is_nan(all[i])) {
      EXPECT_TRUE(std::isnan(wide[i]) && is_nan(back[i]) && is_nan(to_half(from_half(all[i]))));
      continue;
    }
    ASSERT_EQ(back[i], all[i]);
    ASSERT_EQ(to_half(from_half(all[i])), all[i]);
    ASSERT_EQ(std::bit_cast<std::uint32_t>(from_half(all[i])), std::bit_cast<std::uint32_t>(wide[i]));
  }
}

TEST(Half, RoundsToNearestTiesToEven) {
  EXPECT_EQ(to_half(1.0f + 0x1p-11f), 0x3c00);             // half-way, down to even
  EXPECT_EQ(to_half(1.0f + 3 * 0x1p-11f), 0x3c02);         // half-way, up to even
  EXPECT_EQ(to_half(1.0f + 0x1p-11f + 0x1p-20f), 0x3c01);  // just above
  EXPECT_EQ(to_half(65519.0f), 0x7bff);
  EXPECT_EQ(to_half(65520.0f), 0x7c00);
  EXPECT_EQ(to_half(0x1p-24f), 0x0001);
  EXPECT_EQ(to_half(0x1p-25f), 0x0000);
  EXPECT_EQ(to_half(-0.0f), 0x8000);
}

// The machine's instructions and the portable way agree, for any bits and any tail.
TEST(Half, BulkAgreesWithOneByOne) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    std::mt19937 random(seed);
    std::vector<float> in(1 + random() % 500);
    for (float& v : in) v = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    std::vector<std::uint16_t> out(in.size());
    to_half(in.data(), in.size(), out.data());
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (std::isnan(in[i])) {
        EXPECT_TRUE(is_nan(out[i]));
      } else {
        ASSERT_EQ(out[i], to_half(in[i])) << "seed " << seed << ", " << in[i];
      }
    }
  }
}

}  // namespace
}  // namespace sluice
