#include "quantize/encoding.h"

#include <gtest/gtest.h>

#include <cmath>

#include "inference/value_histogram.h"
#include "quantize/tensor_data.h"
#include "quantize/weights.h"

namespace sluice::quantize {
namespace {

TEST(Encoding, AsymmetricContainsZeroExactly) {
  const Encoding e = asymmetric({-1.0f, 1.55f}, 8);
  EXPECT_EQ(e.element(), pb::TensorProto::UINT8);
  EXPECT_FLOAT_EQ(e.scale[0], 0.01f);
  EXPECT_EQ(e.zero_point[0], 100);
  EXPECT_EQ(quantise(0.0f, e), 100);
  EXPECT_FLOAT_EQ(e.minimum(), -1.0f);
  EXPECT_FLOAT_EQ(e.maximum(), 1.55f);
}

TEST(Encoding, OneSidedRangesReachToZero) {
  EXPECT_EQ(asymmetric({0.5f, 2.55f}, 8).zero_point[0], 0);
  EXPECT_FLOAT_EQ(asymmetric({0.5f, 2.55f}, 8).scale[0], 0.01f);
  EXPECT_EQ(asymmetric({-2.0f, -1.0f}, 8).zero_point[0], 255);
}

TEST(Encoding, NoRangeIsNoScaleOfZero) {
  EXPECT_FLOAT_EQ(asymmetric({0, 0}, 8).scale[0], kLeastRange / 255);
  EXPECT_GT(symmetric(0, 8).scale[0], 0);
}

TEST(Encoding, RoundsHalfToEvenAndSaturates) {
  const Encoding e{.bits = 8, .is_signed = false, .axis = -1, .scale = {1.0f}, .zero_point = {10}};
  EXPECT_EQ(quantise(0.5f, e), 10);
  EXPECT_EQ(quantise(1.5f, e), 12);
  EXPECT_EQ(quantise(-100.0f, e), 0);
  EXPECT_EQ(quantise(1000.0f, e), 255);
}

TEST(Encoding, FixedOnes) {
  EXPECT_FLOAT_EQ(sigmoid_encoding(8).scale[0], 1.0f / 256);
  EXPECT_FLOAT_EQ(sigmoid_encoding(16).scale[0], 1.0f / 65536);
  EXPECT_EQ(sigmoid_encoding(16).zero_point[0], 0);
  EXPECT_FLOAT_EQ(tanh_encoding(16).scale[0], 1.0f / 32768);
  EXPECT_EQ(tanh_encoding(16).zero_point[0], 32768);
}

TEST(Encoding, BytesPerChannelInRowMajorOrder) {
  const Encoding e{.bits = 8, .is_signed = true, .axis = 1, .scale = {1.0f, 2.0f}, .zero_point = {0, 0}};
  const std::string bytes =
      quantise_all(std::vector<float>{2, 2, -4, -4}, std::vector<std::int64_t>{2, 2}, e);
  EXPECT_EQ(bytes, std::string({2, 1, static_cast<char>(-4), static_cast<char>(-2)}));
  const Encoding wide{.bits = 16, .is_signed = false, .axis = -1, .scale = {1.0f}, .zero_point = {0}};
  EXPECT_EQ(quantise_all(std::vector<float>{258}, std::vector<std::int64_t>{1}, wide), std::string({2, 1}));
}

TEST(Weights, AreSignedAroundZeroAndNeverUseTheLowestInteger) {
  const auto tensor =
      make_floats("w", std::vector<std::int64_t>{2, 2}, std::vector<float>{-1.27f, 0.5f, 0.1f, -0.2f});
  const auto whole = encode_weights(tensor, -1);
  ASSERT_TRUE(whole.ok());
  EXPECT_TRUE(whole->is_signed);
  EXPECT_FLOAT_EQ(whole->scale[0], 0.01f);
  EXPECT_EQ(quantise(-1.28f, *whole), -127);
  const auto rows = encode_weights(tensor, 0);
  ASSERT_TRUE(rows.ok());
  ASSERT_EQ(rows->scale.size(), 2u);
  EXPECT_FLOAT_EQ(rows->scale[1], 0.2f / 127);
}

// A channel of tiny weights with a large bias: its bias would not fit into 32 bits.
TEST(Weights, ScaleGrowsUntilTheBiasFits) {
  auto encoding =
      encode_weights(make_floats("w", std::vector<std::int64_t>{1}, std::vector<float>{1e-7f}), 0);
  ASSERT_TRUE(encoding.ok());
  const auto bias = make_floats("b", std::vector<std::int64_t>{1}, std::vector<float>{100.0f});
  constexpr float kInputScale = 1e-6f;
  ASSERT_GT(100.0 / (static_cast<double>(encoding->scale[0]) * kInputScale), 2147483647.0);
  ASSERT_TRUE(make_room_for_bias(*encoding, bias, kInputScale).ok());
  EXPECT_LT(100.0 / (static_cast<double>(encoding->scale[0]) * kInputScale), 2147483647.0);
}

TEST(Weights, RefuseWhatIsNotFinite) {
  const auto bad =
      encode_weights(make_floats("w", std::vector<std::int64_t>{1}, std::vector<float>{NAN}), -1);
  EXPECT_EQ(bad.status().message(), "weights 'w' hold NaN or infinity");
}

}  // namespace
}  // namespace sluice::quantize
