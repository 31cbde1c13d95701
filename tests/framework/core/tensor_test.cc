#include "framework/core/tensor.h"

#include <gtest/gtest.h>

namespace sluice {
namespace {

TEST(Shape, SaysWhatIsSymbolic) {
  const Shape shape{1, Shape::kSymbolic, 4};
  EXPECT_FALSE(shape.is_static());
  EXPECT_EQ(shape.text(), "1x?x4");
  EXPECT_EQ(Shape{}.text(), "scalar");
}

TEST(Shape, RefusesMoreDimensionsThanItHolds) {
  EXPECT_EQ(Shape::from(std::vector<std::int64_t>(9, 1)).status().message(),
            "a tensor has 9 dimensions, at most 8 are supported");
}

TEST(Tensor, SizesAreCheckedForOverflow) {
  EXPECT_EQ(*byte_size(DType::kFloat32, Shape{1, 3, 2}), 24u);
  EXPECT_EQ(*byte_size(DType::kFloat32, Shape{0, 3}), 0u);
  EXPECT_FALSE(byte_size(DType::kFloat32, Shape{1 << 20, 1 << 20}).ok());
  EXPECT_FALSE(byte_size(DType::kUint8, Shape{INT64_MAX, INT64_MAX}).ok());
  EXPECT_FALSE(byte_size(DType::kUint8, Shape{1, -1}).ok());
}

TEST(QuantParams, AgreeWithinAMillionth) {
  const QuantParams a{{0.5F}, {3}, -1};
  EXPECT_TRUE(agree(a, {{0.5F + 2e-7F}, {3}, -1}));
  EXPECT_FALSE(agree(a, {{0.50001F}, {3}, -1}));
  EXPECT_FALSE(agree(a, {{0.5F}, {4}, -1}));
  EXPECT_FALSE(agree(a, {{0.5F}, {3}, 1}));
}

TEST(TensorType, TextNamesTypeShapeLayoutAndScale) {
  TensorType type{"x", DType::kUint8, {1, 3, 8, 8}, Layout::kNchw, QuantParams{{0.25F}, {128}, -1}};
  EXPECT_EQ(type.text(), "uint8 1x3x8x8 nchw (scale 0.25, zero point 128)");
}

TEST(DType, NamesRoundTrip) {
  for (auto d : {DType::kFloat32, DType::kFloat16, DType::kUint8, DType::kInt64})
    EXPECT_EQ(parse_dtype(name_of(d)), d);
  EXPECT_FALSE(parse_dtype("float31"));
}

}  // namespace
}  // namespace sluice
