// Values that models read and write at run time, as real numbers.
#include "inference/value_ranges.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>

namespace sluice {
namespace {

TensorType type_of(std::string name, DType dtype, Shape shape) {
  TensorType out;
  out.name = std::move(name);
  out.dtype = dtype;
  out.shape = shape;
  return out;
}

template <typename T, std::size_t N>
Tensor view(std::array<T, N>& values) {
  Tensor out;
  out.data = reinterpret_cast<std::byte*>(values.data());
  out.bytes = sizeof values;
  return out;
}

TEST(ValueRanges, FloatsAreTakenAsTheyAre) {
  ValueRanges ranges;
  std::array<float, 4> first = {-2, 0, 1, std::numeric_limits<float>::quiet_NaN()}, second = {0, 0, 5, 1};
  const TensorType type = type_of("x", DType::kFloat32, Shape{4});
  ranges.add("face", type, view(first));
  ranges.add("face", type, view(second));
  const auto found = ranges.ranges();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].model, "face");
  EXPECT_EQ(found[0].tensor, "x");
  EXPECT_EQ(found[0].values.count(), 7u);
  EXPECT_EQ(found[0].values.not_finite(), 1u);
  EXPECT_EQ(found[0].values.min(), -2);
  EXPECT_EQ(found[0].values.max(), 5);
}

TEST(ValueRanges, IntegersCountAsWhatTheyStandFor) {
  ValueRanges ranges;
  TensorType type = type_of("q", DType::kUint16, Shape{2, 3});
  type.quant = QuantParams{.scale = {0.5f}, .zero_point = {100}};
  std::array<std::uint16_t, 6> values = {0, 100, 200, 65535, 100, 101};
  ranges.add("m", type, view(values));
  TensorType wide = type_of("c", DType::kUint16, Shape{2, 3});
  wide.quant = QuantParams{.scale = {1, 10, 100}, .zero_point = {0, 0, 1}, .axis = 1};
  std::array<std::uint16_t, 6> channels = {1, 1, 1, 2, 2, 2};
  ranges.add("m", wide, view(channels));
  const auto found = ranges.ranges();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].tensor, "c");
  EXPECT_EQ(found[0].values.min(), 0);
  EXPECT_EQ(found[0].values.max(), 100);
  EXPECT_EQ(found[0].values.zeros(), 1u);
  EXPECT_FLOAT_EQ(found[1].values.min(), -50);
  EXPECT_FLOAT_EQ(found[1].values.max(), 32717.5f);
}

TEST(ValueRanges, LargeTensorsAreReadToTheirEnd) {
  ValueRanges ranges;
  static std::array<float, 2500> values{};
  values.back() = 7;
  ranges.add("m", type_of("x", DType::kFloat32, Shape{2500}), view(values));
  EXPECT_EQ(ranges.ranges()[0].values.count(), 2500u);
  EXPECT_EQ(ranges.ranges()[0].values.max(), 7);
}

}  // namespace
}  // namespace sluice
