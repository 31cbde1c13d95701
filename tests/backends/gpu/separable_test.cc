// A depthwise convolution and the 1 x 1 behind it are one launch, with the CPU provider's numbers.
#include <gtest/gtest.h>

#include "tests/backends/gpu/random_maker.h"

namespace sluice::testing {
namespace {

struct Case {
  std::string name;
  std::int64_t channels, out, height, width, kernel;
  Dims strides, pads, dilations;
  std::string activation;  // between the two
  bool residual;
  bool scaled = false;  // a factor and an addend behind the activation
};

Dims dims_behind(const Case& c) {
  const auto size = [&](std::size_t axis, std::int64_t in) {
    const std::int64_t reach = (c.kernel - 1) * c.dilations[axis] + 1;
    return (in + c.pads[axis] + c.pads[axis + 2] - reach) / c.strides[axis] + 1;
  };
  return {2, c.channels, size(0, c.height), size(1, c.width)};
}

Tensor put(Maker& maker, const std::string& op, const std::vector<std::string>& inputs, const Dims& dims,
           const std::map<std::string, Dims>& ints = {}) {
  maker.put(op, inputs, dims, ints);
  return maker.values.back();
}

// `read_twice`: what lies between the two is an output of the model as well.
RandomModel model_of(const Case& c, bool read_twice) {
  RandomModel out;
  Maker maker(3, out);
  const Tensor x = maker.input({2, c.channels, c.height, c.width});
  Dims dims = dims_behind(c);
  Tensor between = put(maker, "Conv",
                       {x.name, maker.constant({c.channels, 1, c.kernel, c.kernel}, -1, 1),
                        maker.constant({c.channels}, -1, 1)},
                       dims,
                       {{"group", {c.channels}},
                        {"kernel_shape", {c.kernel, c.kernel}},
                        {"strides", c.strides},
                        {"pads", c.pads},
                        {"dilations", c.dilations}});
  maker.values.back().read = !c.activation.empty() || !read_twice;
  if (!c.activation.empty()) {
    between = put(maker, c.activation, {between.name}, dims);
    maker.values.back().read = !read_twice;
  }
  if (c.scaled) {
    maker.values.back().read = true;
    between = put(maker, "Mul", {between.name, maker.constant({1}, -2, 2)}, dims);
    maker.values.back().read = true;
    between = put(maker, "Add", {between.name, maker.constant({1}, -2, 2)}, dims);
    maker.values.back().read = !read_twice;
  }
  dims[1] = c.out;
  Tensor y = put(
      maker, "Conv",
      {between.name, maker.constant({c.out, c.channels, 1, 1}, -1, 1), maker.constant({c.out}, -1, 1)}, dims);
  if (c.residual) {
    maker.values.back().read = true;
    const Tensor other = maker.input(dims);
    y = put(maker, "Add", {y.name, other.name}, dims);
  }
  maker.finish();
  return out;
}

class GpuSeparable : public ::testing::TestWithParam<Case> {};

void compare(const RandomModel& made, const Loaded::Options& options, std::uint64_t kernels,
             double tolerance) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  auto cpu = Loaded::load(made.model, Where::kCpu);
  ASSERT_TRUE(cpu.ok()) << cpu.status().message();
  auto gpu = Loaded::load(made.model, Where::kGpu, options);
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  EXPECT_EQ(plugin_counts().kernels, kernels);
  const auto wanted = cpu->run(made.inputs);
  const auto got = gpu->run(made.inputs);
  ASSERT_TRUE(wanted.ok()) << wanted.status().message();
  ASSERT_TRUE(got.ok()) << got.status().message();
  for (std::size_t i = 0; i < got->size(); ++i)
    EXPECT_EQ(difference((*got)[i], (*wanted)[i], tolerance), "") << (*got)[i].name;
}

// One launch beside those that change the layout of inputs and outputs.
TEST_P(GpuSeparable, IsOneLaunch) {
  const RandomModel made = model_of(GetParam(), false);
  const std::uint64_t kernels = GetParam().residual ? 4 : 3;
  for (const char* set : {"wide", "float4"}) {
    SCOPED_TRACE(set);
    compare(made, {{"kernels", set}}, kernels, 1e-4);
  }
}

TEST_P(GpuSeparable, IsTwoWhereSomebodyElseReadsWhatIsBetween) {
  const std::uint64_t kernels = GetParam().residual ? 6 : 5;
  compare(model_of(GetParam(), true), {{"kernels", "wide"}}, kernels, 1e-4);
}

INSTANTIATE_TEST_SUITE_P(
    Shapes, GpuSeparable,
    ::testing::Values(Case{"Plain", 24, 24, 16, 16, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, "", true},
                      Case{"SeveralGroups", 96, 100, 9, 37, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, "Relu", false},
                      Case{"Strided", 24, 48, 18, 22, 3, {2, 2}, {0, 0, 1, 1}, {1, 1}, "", true},
                      Case{"RowsOnly", 12, 7, 17, 13, 3, {2, 1}, {1, 1, 1, 1}, {1, 1}, "", false},
                      Case{"OddSizes", 6, 5, 7, 9, 5, {1, 2}, {2, 1, 2, 3}, {1, 1}, "HardSwish", true},
                      Case{"Dilated", 20, 17, 15, 11, 3, {1, 1}, {2, 2, 2, 2}, {2, 2}, "Sigmoid", false},
                      Case{"Unpadded", 16, 8, 6, 8, 3, {1, 1}, {0, 0, 0, 0}, {1, 1}, "Relu", false},
                      Case{
                          "Scaled", 18, 12, 9, 10, 3, {1, 1}, {1, 1, 1, 1}, {1, 1}, "HardSwish", false, true},
                      Case{"FewPixels", 128, 128, 4, 3, 3, {1, 1}, {0, 0, 0, 0}, {1, 1}, "", false}),
    [](const auto& given) { return given.param.name; });

}  // namespace
}  // namespace sluice::testing
