// quantize and dequantize: the arithmetic against a scalar reference, the nodes' types and errors.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "framework/core/half.h"
#include "nodes/pixels/linear_quant.h"
#include "nodes/preprocess_nodes.h"
#include "tests/nodes/fake_context.h"

namespace sluice {
namespace {

using testing::FakeContext;
using testing::FakeTypes;
using testing::integer;
using testing::number;
using testing::tensor_port;
using testing::text;

OptionsPtr options_of(const NodeDeclaration& declaration, OptionMap written = {}) {
  OptionMap all;
  for (const OptionDeclaration& option : declaration.options) all[option.name] = option.fallback;
  for (auto& [name, value] : written) all[name] = std::move(value);
  return std::make_shared<const Options>(std::move(all));
}

OptionValue numbers(std::initializer_list<double> values) {
  OptionList list;
  for (double v : values) list.push_back(OptionValue{v});
  return OptionValue{std::move(list)};
}

// ONNX QuantizeLinear, with the C library's rounding.
double reference(float x, float scale, std::int32_t zero_point, double low, double high) {
  return std::clamp(std::nearbyint(static_cast<double>(x / scale)) + zero_point, low, high);
}

template <typename T>
void compare_with_reference(DType dtype, unsigned seed) {
  std::mt19937 random(seed);
  const std::size_t channels = 1 + random() % 5;
  const std::size_t inner = random() % 2 ? 1 : 1 + random() % 90;
  const std::size_t outer = 1 + random() % 40;
  const bool per_axis = random() % 2;
  QuantParams quant;
  quant.axis = per_axis ? 1 : -1;
  for (std::size_t c = 0; c < (per_axis ? channels : 1); ++c) {
    quant.scale.push_back(std::ldexp(static_cast<float>(1 + random() % 7), -static_cast<int>(random() % 8)));
    quant.zero_point.push_back(std::numeric_limits<T>::min() +
                               static_cast<std::int32_t>(random() % (std::numeric_limits<T>::max() -
                                                                     std::numeric_limits<T>::min() + 1)));
  }
  const Shape shape{static_cast<std::int64_t>(outer), static_cast<std::int64_t>(channels),
                    static_cast<std::int64_t>(inner)};
  std::vector<float> in(outer * channels * inner);
  for (float& v : in) {
    // Multiples of a half scale, so that many are ties; some far outside.
    v = static_cast<float>(static_cast<int>(random() % 4001) - 2000) * 0.5f * quant.scale[0];
    if (random() % 50 == 0) v = random() % 2 ? 1e30f : -std::numeric_limits<float>::infinity();
  }
  std::vector<T> out(in.size());
  const pixels::ChannelView view = pixels::channel_view(shape, quant);
  const bool half = random() % 2;
  std::vector<std::uint16_t> halves(in.size());
  if (half) {
    to_half(in.data(), in.size(), halves.data());
    from_half(halves.data(), in.size(), in.data());
  }
  const auto* bytes = half ? reinterpret_cast<const std::byte*>(halves.data())
                           : reinterpret_cast<const std::byte*>(in.data());
  ASSERT_TRUE(pixels::quantize_linear(bytes, half ? DType::kFloat16 : DType::kFloat32, view, quant, dtype,
                                      reinterpret_cast<std::byte*>(out.data()))
                  .ok());
  std::vector<float> back(in.size());
  ASSERT_TRUE(pixels::dequantize_linear(reinterpret_cast<const std::byte*>(out.data()), dtype, view, quant,
                                        back.data())
                  .ok());
  for (std::size_t i = 0; i < in.size(); ++i) {
    const std::size_t c = per_axis ? i / inner % channels : 0;
    ASSERT_EQ(out[i], reference(in[i], quant.scale[c], quant.zero_point[c], std::numeric_limits<T>::min(),
                                std::numeric_limits<T>::max()))
        << "seed " << seed << " element " << i << ": " << in[i];
    ASSERT_EQ(back[i], static_cast<float>(out[i] - quant.zero_point[c]) * quant.scale[c]) << "seed " << seed;
  }
}

TEST(LinearQuant, AgreesWithAScalarReference) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    compare_with_reference<std::uint8_t>(DType::kUint8, seed);
    compare_with_reference<std::int8_t>(DType::kInt8, seed);
    compare_with_reference<std::uint16_t>(DType::kUint16, seed);
    compare_with_reference<std::int16_t>(DType::kInt16, seed);
  }
}

// The table of the ONNX specification's example, and ties around an odd zero point.
TEST(LinearQuant, RoundsHalfToEvenBeforeAddingTheZeroPoint) {
  const float in[] = {0, 2, 3, 1000, -254, -1000, 1, 5, -1, std::numeric_limits<float>::quiet_NaN()};
  const std::uint8_t want[] = {128, 129, 130, 255, 1, 0, 128, 130, 128, 0};
  std::uint8_t out[10];
  const QuantParams quant{{2}, {128}, -1};
  ASSERT_TRUE(pixels::quantize_linear(reinterpret_cast<const std::byte*>(in), DType::kFloat32, {1, 1, 10},
                                      quant, DType::kUint8, reinterpret_cast<std::byte*>(out))
                  .ok());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(out[i], want[i]) << i;
  const float ties[] = {0.5f, 1.5f, 2.5f};
  std::int8_t odd[3];
  ASSERT_TRUE(pixels::quantize_linear(reinterpret_cast<const std::byte*>(ties), DType::kFloat32, {1, 1, 3},
                                      {{1}, {3}, -1}, DType::kInt8, reinterpret_cast<std::byte*>(odd))
                  .ok());
  EXPECT_EQ(odd[0], 3);
  EXPECT_EQ(odd[1], 5);
  EXPECT_EQ(odd[2], 5);
}

// Reaching the end of the range is no fault, nor is what rounds to it; what lies farther out is lost.
TEST(LinearQuant, CountsWhatTheTypeDoesNotHold) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> held = {0, 255, -0.5f, 255.5f, 128};
  const std::vector<float> lost = {-0.6f, 255.6f, 1e30f, -inf, inf, nan};
  std::vector<float> in = held;
  in.insert(in.end(), lost.begin(), lost.end());
  std::vector<std::uint8_t> out(in.size());
  const auto clipped = [&](const QuantParams& quant, const pixels::ChannelView& view) {
    return pixels::quantize_linear(reinterpret_cast<const std::byte*>(in.data()), DType::kFloat32, view,
                                   quant, DType::kUint8, reinterpret_cast<std::byte*>(out.data()))
        .value();
  };
  const std::size_t n = in.size();
  EXPECT_EQ(clipped({{1}, {0}, -1}, {1, 1, n}), lost.size());
  EXPECT_EQ(clipped({std::vector<float>(n, 1.0f), std::vector<std::int32_t>(n, 0), 1}, {1, n, 1}),
            lost.size());
  std::vector<std::uint16_t> halves(n);
  to_half(in.data(), n, halves.data());  // 255.6 becomes 255.625
  EXPECT_EQ(
      pixels::quantize_linear(reinterpret_cast<const std::byte*>(halves.data()), DType::kFloat16, {1, 1, n},
                              {{1}, {0}, -1}, DType::kUint8, reinterpret_cast<std::byte*>(out.data()))
          .value(),
      lost.size());
}

// The whole range of a 16-bit type whose scale is rounded to float.
TEST(LinearQuant, TheEndsOfACalibratedRangeAreHeld) {
  for (const float end : {1.0f, 3.3f, 127.49f, 1e-3f}) {
    const QuantParams quant{{2 * end / 65535}, {32768}, -1};
    const float in[] = {-end, end};
    std::uint16_t out[2];
    EXPECT_EQ(pixels::quantize_linear(reinterpret_cast<const std::byte*>(in), DType::kFloat32, {1, 1, 2},
                                      quant, DType::kUint16, reinterpret_cast<std::byte*>(out))
                  .value(),
              0u)
        << end;
  }
}

TEST(LinearQuant, Int32IsRoundedHalfToEvenAndSaturated) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> in = {0.5f,          1.5f,          2.5f,  -0.5f,          -1.5f,  16777215.0f,
                                 2147483520.0f, 2147483648.0f, 1e30f, -2147483648.0f, -1e30f, nan};
  constexpr std::int32_t kLow = std::numeric_limits<std::int32_t>::min();
  constexpr std::int32_t kHigh = std::numeric_limits<std::int32_t>::max();
  const std::vector<std::int32_t> want = {0,          2,     2,     0,    -2,   16777215,
                                          2147483520, kHigh, kHigh, kLow, kLow, kLow};
  std::vector<std::int32_t> out(in.size());
  const auto clipped = pixels::quantize_linear(reinterpret_cast<const std::byte*>(in.data()), DType::kFloat32,
                                               {1, 1, in.size()}, {{1}, {0}, -1}, DType::kInt32,
                                               reinterpret_cast<std::byte*>(out.data()));
  EXPECT_EQ(out, want);
  EXPECT_EQ(clipped.value(), 4u);  // 2^31, the two 1e30, NaN
}

TEST(LinearQuant, Int64IsRoundedHalfToEvenAndSaturated) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), most = std::ldexp(1.0f, 63);
  const std::vector<float> in = {0.5f, 2.5f,  -1.5f, 3e9f,   std::nextafter(most, 0.0f),
                                 most, 1e30f, -most, -1e30f, nan};
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min();
  constexpr std::int64_t kHigh = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> want = {0,     2,     -2,   3'000'000'000, 9'223'371'487'098'961'920,
                                          kHigh, kHigh, kLow, kLow,          kLow};
  std::vector<std::int64_t> out(in.size());
  const auto clipped = pixels::quantize_linear(reinterpret_cast<const std::byte*>(in.data()), DType::kFloat32,
                                               {1, 1, in.size()}, {{1}, {0}, -1}, DType::kInt64,
                                               reinterpret_cast<std::byte*>(out.data()));
  EXPECT_EQ(out, want);
  EXPECT_LE(clipped.value(), 4u);  // 1e30 twice, NaN; double cannot tell 2^63 from the largest
  EXPECT_GE(clipped.value(), 3u);
}

TEST(LinearQuant, RefusesOtherTypes) {
  std::byte memory[8];
  EXPECT_EQ(pixels::quantize_linear(memory, DType::kInt32, {}, {{1}, {0}, -1}, DType::kUint8, memory)
                .status()
                .message(),
            "cannot quantise int32, allowed: float32, float16");
  EXPECT_EQ(pixels::quantize_linear(memory, DType::kFloat32, {}, {{1}, {0}, -1}, DType::kBool, memory)
                .status()
                .message(),
            "cannot quantise to bool, allowed: uint8, int8, uint16, int16, int32, int64");
  float out = 0;
  EXPECT_EQ(pixels::dequantize_linear(memory, DType::kInt64, {}, {{1}, {0}, -1}, &out).message(),
            "cannot dequantise int64, allowed: uint8, int8, uint16, int16");
}

TensorType float_type(Shape shape) { return {"", DType::kFloat32, shape, Layout::kNone, {}}; }
TensorType quantised_type(DType dtype, Shape shape, QuantParams quant) {
  return {"", dtype, shape, Layout::kNone, std::move(quant)};
}

class QuantizeTypes : public ::testing::Test {
 protected:
  Result<std::vector<PortType>> infer(const NodeDeclaration& node, const TensorType& input, OptionMap written,
                                      std::shared_ptr<const TensorType> wanted = nullptr) {
    const OptionsPtr options = options_of(node, std::move(written));
    Status wrong;  // options that are wrong by themselves
    node.check_options(*options, [&](std::string_view, const Status& why) { wrong = why; });
    if (!wrong.ok()) return wrong;
    FakeTypes types(options);
    types.ports = {{tensor_port(input)}};
    types.wanted = std::move(wanted);
    return testing::types_of(node, types);
  }
  std::string quantize_error(OptionMap written, std::shared_ptr<const TensorType> wanted = nullptr) {
    const auto result =
        infer(quantize_declaration(), float_type({1, 3, 4, 4}), std::move(written), std::move(wanted));
    EXPECT_EQ(result.status().code(), Code::kInvalid);
    return result.status().message();
  }
  std::shared_ptr<const TensorType> wanted_ =
      std::make_shared<const TensorType>(quantised_type(DType::kInt8, {1, 3, 4, 4}, {{0.5f}, {7}, -1}));
};

TEST_F(QuantizeTypes, TakesItsParametersFromTheNextModel) {
  const auto result = infer(quantize_declaration(), float_type({1, 3, 4, 4}), {}, wanted_);
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->front().tensor->dtype, DType::kInt8);
  EXPECT_EQ(*result->front().tensor->quant, (QuantParams{{0.5f}, {7}, -1}));
}

TEST_F(QuantizeTypes, TakesWrittenParameters) {
  const auto result =
      infer(quantize_declaration(), float_type({1, 3, 4, 4}),
            {{"scale", numbers({0.1, 0.2, 0.3})}, {"axis", integer(1)}, {"dtype", text("uint16")}});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->front().tensor->dtype, DType::kUint16);
  EXPECT_EQ(*result->front().tensor->quant, (QuantParams{{0.1f, 0.2f, 0.3f}, {0, 0, 0}, 1}));
}

TEST_F(QuantizeTypes, AcceptsWrittenParametersThatAgree) {
  const auto result =
      infer(quantize_declaration(), float_type({1, 3, 4, 4}),
            {{"scale", number(0.5)}, {"zero_point", number(7)}, {"dtype", text("int8")}}, wanted_);
  EXPECT_TRUE(result.ok()) << result.status().message();
}

TEST_F(QuantizeTypes, NamesBothSidesOfAContradiction) {
  EXPECT_EQ(quantize_error({{"scale", number(0.25)}}, wanted_),
            "the options say int8 with scale 0.25 and zero point 7, but the next model's input has int8 with "
            "scale 0.5 "
            "and zero point 7; results would be wrong: leave the options out or correct them");
  EXPECT_EQ(quantize_error({{"zero_point", number(8)}}, wanted_),
            "the options say int8 with scale 0.5 and zero point 8, but the next model's input has int8 with "
            "scale 0.5 "
            "and zero point 7; results would be wrong: leave the options out or correct them");
  EXPECT_EQ(quantize_error({{"dtype", text("uint8")}}, wanted_),
            "option 'dtype' is uint8, but the next model's input has int8 with scale 0.5 and zero point 7; "
            "results would be wrong: leave the option out");
}

// The zero point is the model's and lies outside the type that is written.
TEST_F(QuantizeTypes, AWrongTypeIsBlamedAndNotTheModelsZeroPoint) {
  const auto unsigned_input =
      std::make_shared<const TensorType>(quantised_type(DType::kUint8, {1, 3, 4, 4}, {{0.5f}, {128}, -1}));
  EXPECT_NE(quantize_error({{"dtype", text("int8")}}, unsigned_input).find("option 'dtype' is int8"),
            std::string::npos);
}

TEST_F(QuantizeTypes, RefusesWhatCannotBe) {
  EXPECT_EQ(quantize_error({}),
            "option 'scale' is missing: the next model's input has no quantised tensor to take it from; "
            "write scale, "
            "zero_point and dtype");
  EXPECT_EQ(quantize_error({{"scale", number(-1)}}), "option 'scale' is -1, allowed: positive and finite");
  EXPECT_EQ(quantize_error({{"scale", number(1)}, {"zero_point", number(256)}}),
            "option 'zero_point' is 256, allowed for uint8: 0..255");
  EXPECT_EQ(quantize_error({{"scale", number(1)}, {"zero_point", number(0.5)}}),
            "option 'zero_point' is 0.5, allowed: whole numbers from -65535 to 65535");
  EXPECT_EQ(quantize_error({{"scale", numbers({1, 2, 3})}}),
            "option 'scale' has 3 values but no 'axis' says along which dimension");
  EXPECT_EQ(quantize_error({{"scale", numbers({1, 2})}, {"axis", integer(1)}}),
            "'scale' has 2 values, but dimension 1 of the tensor 1x3x4x4 is 3");
  EXPECT_EQ(quantize_error({{"scale", number(1)}, {"axis", integer(4)}}),
            "option 'axis' is 4, allowed for a tensor 1x3x4x4: 0..3");
  EXPECT_EQ(
      quantize_error({{"scale", numbers({1, 2, 3})}, {"axis", integer(1)}, {"zero_point", numbers({1, 2})}}),
      "option 'zero_point' has 2 values and 'scale' has 3: give one for all, or one each");
  const auto integers = infer(quantize_declaration(), quantised_type(DType::kInt32, {1}, {}), {});
  EXPECT_NE(integers.status().message().find("quantize takes float32 or float16, but its input is int32 1"),
            std::string::npos);
  const auto floats = infer(dequantize_declaration(), float_type({1, 2}), {});
  EXPECT_EQ(floats.status().message(),
            "dequantize takes uint8, int8, uint16 or int16, but its input is float32 1x2");
}

TEST_F(QuantizeTypes, DequantizeReadsItsInputsOwnParameters) {
  const TensorType input = quantised_type(DType::kInt8, {2, 3}, {{0.5f, 1, 2}, {1, 2, 3}, 1});
  const auto result = infer(dequantize_declaration(), input, {});
  ASSERT_TRUE(result.ok()) << result.status().message();
  EXPECT_EQ(result->front().tensor->dtype, DType::kFloat32);
  EXPECT_FALSE(result->front().tensor->quant.has_value());
  const auto other = infer(dequantize_declaration(), input, {{"scale", number(3)}});
  EXPECT_FALSE(other.ok());
}

Packet run_node(const NodeDeclaration& declaration, OptionMap written, const TensorType& in,
                const TensorType& out, Packet packet) {
  auto node = declaration.create();
  testing::OpenSetup setup(options_of(declaration, std::move(written)));
  setup.input(0, tensor_port(in)).output(tensor_port(out));
  EXPECT_TRUE((*node)->open(setup.context()).ok());
  FakeContext context(setup.options);
  context.set_output(0, tensor_port(out));
  context.set_input(0, std::move(packet));
  const Status status = (*node)->process(context);
  EXPECT_TRUE(status.ok()) << status.message();
  return context.emitted().empty() ? Packet{} : context.emitted().front();
}

TEST(QuantizeNodes, ThereAndBackWithGeometry) {
  Geometry geometry;
  geometry.xx = 2.5;
  const QuantParams quant{{0.5f, 0.25f}, {10, 20}, 1};
  const TensorType floats = float_type({2, 2});
  const TensorType bytes = quantised_type(DType::kUint8, {2, 2}, quant);
  const Packet in = testing::make_tensor<float>(floats, {1, 1, -5, 500}, geometry);
  const Packet quantised = run_node(quantize_declaration(), {}, floats, bytes, in);
  const Tensor* tensor = quantised.get<Tensor>();
  ASSERT_TRUE(tensor);
  const auto* q = reinterpret_cast<const std::uint8_t*>(tensor->data);
  EXPECT_EQ(q[0], 12);
  EXPECT_EQ(q[1], 24);
  EXPECT_EQ(q[2], 0);
  EXPECT_EQ(q[3], 255);
  EXPECT_EQ(tensor->geometry.xx, 2.5);
  const Packet back = run_node(dequantize_declaration(), {}, bytes, floats, quantised);
  const auto* x = reinterpret_cast<const float*>(back.get<Tensor>()->data);
  EXPECT_EQ(x[0], 1);
  EXPECT_EQ(x[1], 1);
  EXPECT_EQ(x[2], -5);
  EXPECT_EQ(x[3], 58.75f);
  EXPECT_EQ(back.get<Tensor>()->geometry.xx, 2.5);
}

TEST(QuantizeNodes, APlainIntegerIsRoundedAndSaturated) {
  const TensorType floats = float_type({4});
  const TensorType bytes{"", DType::kUint8, {4}, Layout::kNone, {}};
  const TensorType words{"", DType::kInt32, {4}, Layout::kNone, {}};
  const Packet in = testing::make_tensor<float>(floats, {0.5f, 1.5f, 300, -3e9f}, {});
  const Packet small = run_node(quantize_declaration(), {}, floats, bytes, in);
  const auto* b = reinterpret_cast<const std::uint8_t*>(small.get<Tensor>()->data);
  EXPECT_EQ((std::vector<int>{b[0], b[1], b[2], b[3]}), (std::vector<int>{0, 2, 255, 0}));
  const Packet large = run_node(quantize_declaration(), {}, floats, words, in);
  const auto* w = reinterpret_cast<const std::int32_t*>(large.get<Tensor>()->data);
  EXPECT_EQ((std::vector<std::int32_t>{w[0], w[1], w[2], w[3]}),
            (std::vector<std::int32_t>{0, 2, 300, std::numeric_limits<std::int32_t>::min()}));
  const TensorType indices{"", DType::kInt64, {4}, Layout::kNone, {}};
  const Packet larger = run_node(quantize_declaration(), {}, floats, indices, in);
  const auto* l = reinterpret_cast<const std::int64_t*>(larger.get<Tensor>()->data);
  EXPECT_EQ((std::vector<std::int64_t>{l[0], l[1], l[2], l[3]}),
            (std::vector<std::int64_t>{0, 2, 300, -3'000'000'000}));
}

TEST(QuantizeNodes, PlainIntegersAreReadByWrittenParameters) {
  const TensorType plain{"", DType::kInt16, {2}, Layout::kNone, {}};
  const Packet in = testing::make_tensor<std::int16_t>(plain, {-3, 100});
  const Packet out = run_node(dequantize_declaration(), {{"scale", number(0.5)}, {"zero_point", number(1)}},
                              plain, float_type({2}), in);
  const auto* x = reinterpret_cast<const float*>(out.get<Tensor>()->data);
  EXPECT_EQ(x[0], -2);
  EXPECT_EQ(x[1], 49.5);
}

}  // namespace
}  // namespace sluice
