// What Qualcomm's provider computes wrongly or dies of goes to the CPU, one operator at a time.
#include "backends/htp/unfit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "backends/cpu/cpu_backend.h"
#include "backends/htp/htp_backend.h"
#include "tests/backends/htp_models.h"
#include "tests/inference/support.h"

namespace sluice {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using namespace sluice::testing;

using List = std::vector<std::int64_t>;

std::string text(const std::string& name, const std::string& value) {
  return onnx::Writer().bytes(pb::kAttributeName, name).bytes(4, value).varint(20, 3).take();
}

std::string list(const std::string& name, const List& values) {
  onnx::Writer out;
  out.bytes(pb::kAttributeName, name).varint(20, 7);
  for (const std::int64_t value : values) out.varint(8, static_cast<std::uint64_t>(value));
  return out.take();
}

std::string number(const std::string& name, std::int64_t value) { return int_attribute(name, value); }

// x [1,4,8,8] -> 1x1 convolution -> c, for an operator behind it.
ModelBuilder behind_conv(const List& out, std::int32_t element = onnx::kFloat) {
  ModelBuilder model;
  model.input("x", {1, 4, 8, 8});
  model.output("y", Dims(out.begin(), out.end()), element);
  return model
      .weight(tensor<float>("w", onnx::kFloat, {4, 4, 1, 1},
                            {1, -0.2f, 0.3f, 0.05f, -0.6f, 1.2f, 0.1f, 0.07f, 0.03f, 0.09f, -1.1f, 0.5f,
                             0.21f, -0.31f, 0.41f, 1.27f}))
      .node("Conv", {"x", "w"}, {"c"});
}

class HtpUnfit : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!htp::kSimulator) GTEST_SKIP() << "Qualcomm's simulator is an x86-64 library";
    HtpSetup setup;
    setup.clock = &clock_;
    setup.cache = std::make_shared<ArtifactCache>(scratch_ / "artifacts");
    htp_ = make_htp_backend(std::move(setup));
  }
  SessionRequest request(const ModelBuilder& model, const std::string& on_fallback) {
    SessionRequest out;
    out.model = request_for(scratch_.write("m.onnx", model.bytes()));
    out.on_fallback = on_fallback;
    out.keep_float = {"x", "y"};
    return out;
  }
  std::string why_not(const ModelBuilder& model) {
    return htp_->open(request(model, "error")).status().message();
  }
  template <typename T>
  static std::vector<T> result_of(Session& session) {
    RunTensors tensors(session.signature());
    std::vector<float> values(tensors.inputs[0].tensor.bytes / sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i) * 1.7f);
    tensors.inputs[0].set(values);
    const Status ran = session.run(0, tensors.in, tensors.out);
    EXPECT_TRUE(ran.ok()) << ran.message();
    return tensors.outputs[0].template values<T>();
  }
  // One operator of the model is on the CPU, and all of it gives what the CPU gives.
  template <typename T = float>
  void expect_one_on_cpu(const ModelBuilder& model) {
    const SessionRequest wanted = request(model, "allow");
    const auto on_cpu = make_cpu_backend()->open(wanted), split = htp_->open(wanted);
    ASSERT_TRUE(split.ok()) << split.status().message();
    ASSERT_TRUE(on_cpu.ok()) << on_cpu.status().message();
    EXPECT_THAT((*split)->placement().elsewhere, ::testing::ElementsAre(::testing::Pair("cpu", 1)));
    EXPECT_GE((*split)->placement().on_backend, 1);
    const std::vector<T> expected = result_of<T>(**on_cpu), got = result_of<T>(**split);
    ASSERT_THAT(got, SizeIs(expected.size()));
    for (std::size_t i = 0; i < got.size(); ++i)
      EXPECT_NEAR(static_cast<double>(got[i]), static_cast<double>(expected[i]), 5e-3) << i;
  }

  SteadyClock clock_;
  ScratchFolder scratch_;
  std::unique_ptr<Backend> htp_;
};

ModelBuilder pool(const std::string& type, const List& kernel, const List& strides, const List& pads,
                  const List& out) {
  return behind_conv(out).node(type, {"c"}, {"y"},
                               {list("kernel_shape", kernel), list("strides", strides), list("pads", pads)});
}

TEST_F(HtpUnfit, PoolsWhosePaddingQnnDoesNotSurvive) {
  const ModelBuilder average = pool("AveragePool", {3, 3}, {1, 1}, {2, 2, 2, 2}, {1, 4, 10, 10});
  expect_one_on_cpu(average);
  EXPECT_THAT(why_not(average), AllOf(HasSubstr("backend 'htp' cannot take every operator"),
                                      HasSubstr("'AveragePool_y' (AveragePool) has padding that QNN")));
  expect_one_on_cpu(pool("MaxPool", {3, 1}, {2, 2}, {0, 0, 1, 0}, {1, 4, 4, 4}));
}

TEST_F(HtpUnfit, ConvolutionsWithPaddingAsLargeAsTheirKernel) {
  ModelBuilder model = behind_conv({1, 4, 8, 9});
  model.weight(tensor<float>("k", onnx::kFloat, {4, 1, 3, 1}, std::vector<float>(12, 0.25f)))
      .node("Conv", {"c", "k"}, {"y"}, {number("group", 4), list("pads", {1, 1, 1, 0})});
  expect_one_on_cpu(model);
}

TEST_F(HtpUnfit, DepthwiseConvolutionsWithStridesAndDilations) {
  ModelBuilder model = behind_conv({1, 4, 2, 2});
  model.weight(tensor<float>("k", onnx::kFloat, {4, 1, 3, 3}, std::vector<float>(36, 0.1f)))
      .node("Conv", {"c", "k"}, {"y"},
            {number("group", 4), list("strides", {2, 2}), list("dilations", {2, 2})});
  expect_one_on_cpu(model);
}

ModelBuilder resize(const std::string& mode, float scale, std::int64_t out, const std::string& transform,
                    const std::string& rounding) {
  return behind_conv({1, 4, out, out})
      .weight(tensor<float>("s", onnx::kFloat, {4}, {1, 1, scale, scale}))
      .node("Resize", {"c", "", "s"}, {"y"},
            {text("mode", mode), text("coordinate_transformation_mode", transform),
             text("nearest_mode", rounding)});
}

TEST_F(HtpUnfit, ResizesThatTakeOtherPixels) {
  expect_one_on_cpu(resize("nearest", 1.5f, 12, "half_pixel", "round_prefer_floor"));
  expect_one_on_cpu(resize("nearest", 2, 16, "half_pixel", "floor"));
  expect_one_on_cpu(resize("linear", 0.6f, 4, "half_pixel", "floor"));
}

TEST_F(HtpUnfit, ArgMaxOverChannelsAsTheModelsOutput) {
  expect_one_on_cpu<std::int64_t>(
      behind_conv({1, 1, 8, 8}, onnx::kInt64).node("ArgMax", {"c"}, {"y"}, {number("axis", 1)}));
}

TEST_F(HtpUnfit, TilesThatRepeatNothing) {
  expect_one_on_cpu(ModelBuilder()
                        .input("x", {1, 2, 3, 4, 2})
                        .output("y", {1, 2, 3, 4, 2})
                        .weight(tensor<std::int64_t>("t", onnx::kInt64, {5}, {1, 1, 1, 1, 1}))
                        .node("Relu", {"x"}, {"r"})
                        .node("Tile", {"r", "t"}, {"y"}));
}

TEST_F(HtpUnfit, OldModelsAreRefusedWithTheReason) {
  ModelBuilder model = pool("AveragePool", {3, 3}, {1, 1}, {2, 2, 2, 2}, {1, 4, 10, 10});
  EXPECT_THAT(htp_->open(request(model.opset(10), "allow")).status().message(),
              AllOf(HasSubstr("'AveragePool_y' (AveragePool) has padding"), HasSubstr("this is opset 10")));
}

TEST_F(HtpUnfit, WhatIsRightStaysOnTheNpu) {
  for (const ModelBuilder& model : {pool("AveragePool", {3, 3}, {1, 1}, {1, 1, 1, 1}, {1, 4, 8, 8}),
                                    pool("AveragePool", {3, 3}, {2, 2}, {0, 0, 1, 1}, {1, 4, 4, 4}),
                                    pool("MaxPool", {3, 3}, {2, 2}, {1, 1, 1, 1}, {1, 4, 4, 4}),
                                    resize("nearest", 2, 16, "asymmetric", "floor"),
                                    resize("nearest", 1.5f, 12, "half_pixel", "round_prefer_ceil"),
                                    resize("linear", 0.5f, 4, "half_pixel", "floor")}) {
    const std::string bytes = model.bytes();
    const auto header = onnx::read_header(bytes, {});
    ASSERT_TRUE(header.ok());
    EXPECT_THAT(htp::unfit_operators(*header, bytes, {}), IsEmpty());
  }
}

// Quantised, the operator's neighbours stay on the NPU.
TEST_F(HtpUnfit, BetweenQuantisedOperators) {
  ModelBuilder model = npu_model();
  const std::string bytes =
      model.node("AveragePool", {"cd"}, {"p"}, {list("kernel_shape", {3, 3}), list("pads", {2, 2, 2, 2})})
          .output("p", {1, 4, 8, 8})
          .bytes();
  const auto header = onnx::read_header(bytes, {});
  ASSERT_TRUE(header.ok());
  EXPECT_THAT(htp::unfit_operators(*header, bytes, {}), SizeIs(1));
  const auto split = htp_->open(request(model, "allow"));
  ASSERT_TRUE(split.ok()) << split.status().message();
  EXPECT_GE((*split)->placement().on_backend, 4);
}

}  // namespace
}  // namespace sluice
