// NaN: where ONNX Runtime's CPU provider hands it on, the gpu does. A number in its place would hide that a
// model fails, since outputs that are not finite count as failed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "tests/backends/gpu/edge_model.h"
#include "tests/backends/gpu/random_maker.h"

namespace sluice::testing {
namespace {

// Every `step`th element from `first` on.
void spoil(HostTensor& tensor, std::size_t first, std::size_t step) {
  const float none = std::nanf("");
  for (std::size_t at = first; at < tensor.count(); at += step)
    std::memcpy(tensor.data.data() + at * sizeof none, &none, sizeof none);
}

// Empty, or where the gpu has a number and the cpu has none, or another number.
std::string laundered(const HostTensor& gpu, const HostTensor& cpu) {
  const auto got = gpu.numbers();
  const auto wanted = cpu.numbers();
  if (got.size() != wanted.size()) return "another size";
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::isnan(got[i])) continue;
    if (std::isnan(wanted[i]) || std::fabs(got[i] - wanted[i]) > 1e-4 * (1 + std::fabs(wanted[i])))
      return "element " + std::to_string(i) + " is " + std::to_string(got[i]) + ", the cpu has " +
             std::to_string(wanted[i]);
  }
  return {};
}

std::size_t not_numbers(const HostTensor& tensor) {
  std::size_t count = 0;
  for (const double value : tensor.numbers()) count += std::isnan(value) ? 1 : 0;
  return count;
}

constexpr int kOpset = 18;
const EdgeDims kDims = {1, 5, 7, 9};

const std::vector<Edge> kElementwise = {
    {"Relu", "Relu", kOpset, kDims, {}, {}},
    {"LeakyRelu", "LeakyRelu", kOpset, kDims, {}, {{"alpha", 0.1F}}},
    {"PRelu", "PRelu", kOpset, kDims, {Random{{5, 1, 1}}}, {}},
    {"Elu", "Elu", kOpset, kDims, {}, {}},
    {"Clip", "Clip", kOpset, kDims, {Scalar{-1}, Scalar{1}}, {}},
    {"ClipBelow", "Clip", kOpset, kDims, {Scalar{-1}}, {}},
    {"ClipAbove", "Clip", kOpset, kDims, {Absent{}, Scalar{1}}, {}},
    {"HardSigmoid", "HardSigmoid", kOpset, kDims, {}, {}},
    {"HardSwish", "HardSwish", kOpset, kDims, {}, {}},
    {"Sigmoid", "Sigmoid", kOpset, kDims, {}, {}},
    {"Tanh", "Tanh", kOpset, kDims, {}, {}},
    {"Erf", "Erf", kOpset, kDims, {}, {}},
    {"Exp", "Exp", kOpset, kDims, {}, {}},
    {"Sqrt", "Sqrt", kOpset, kDims, {}, {}},
    {"Abs", "Abs", kOpset, kDims, {}, {}},
    {"Floor", "Floor", kOpset, kDims, {}, {}},
    {"Ceil", "Ceil", kOpset, kDims, {}, {}},
    {"Round", "Round", kOpset, kDims, {}, {}},
    {"Reciprocal", "Reciprocal", kOpset, kDims, {}, {}},
    {"Min", "Min", kOpset, kDims, {Given{kDims}}, {}},
    {"Max", "Max", kOpset, kDims, {Given{kDims}}, {}},
    {"MinOfThree", "Min", kOpset, kDims, {Given{kDims}, Given{kDims}}, {}},
    {"MaxWithANumber", "Max", kOpset, kDims, {Scalar{0.5F}}, {}},
    {"MinWithANumber", "Min", kOpset, kDims, {Scalar{0.5F}}, {}},
    {"MaxWithChannels", "Max", kOpset, kDims, {Given{{5, 1, 1}}}, {}},
    {"MinBroadcast", "Min", kOpset, {1, 5, 1, 9}, {Given{{7, 1}}}, {}},
    {"MaxBroadcast", "Max", kOpset, {1, 5, 1, 9}, {Given{{7, 1}}}, {}},
    {"Add", "Add", kOpset, kDims, {Given{kDims}}, {}},
    {"Mul", "Mul", kOpset, kDims, {Scalar{0}}, {}},
    {"Pow", "Pow", kOpset, kDims, {Scalar{2}}, {}},
};

const std::vector<Edge> kWindows = {
    {"MaxPool",
     "MaxPool",
     kOpset,
     kDims,
     {},
     {{"kernel_shape", EdgeDims{3, 3}}, {"pads", EdgeDims{1, 1, 1, 1}}}},
    {"MaxPoolStrided",
     "MaxPool",
     kOpset,
     kDims,
     {},
     {{"kernel_shape", EdgeDims{2, 2}}, {"strides", EdgeDims{2, 2}}}},
    {"MaxPoolThreeDimensions", "MaxPool", kOpset, {1, 2, 5, 5, 6}, {}, {{"kernel_shape", EdgeDims{2, 2, 2}}}},
    {"GlobalMaxPool", "GlobalMaxPool", kOpset, {1, 9, 3, 3}, {}, {}},
    {"AveragePool", "AveragePool", kOpset, kDims, {}, {{"kernel_shape", EdgeDims{2, 2}}}},
    {"GlobalAveragePool", "GlobalAveragePool", kOpset, {1, 9, 3, 3}, {}, {}},
    {"Conv", "Conv", kOpset, kDims, {Random{{8, 5, 3, 3}}}, {}},
    {"ConvTranspose",
     "ConvTranspose",
     kOpset,
     {1, 4, 7, 9},
     {Random{{4, 5, 2, 2}}},
     {{"strides", EdgeDims{2, 2}}}},
    {"Upsampled", "Resize", kOpset, kDims, {Absent{}, Factors{{1, 1, 2, 2}}}, {{"mode", "linear"}}},
};

const std::vector<Edge> kRows = {
    {"ReduceMax", "ReduceMax", kOpset, kDims, {Axes{{2, 3}}}, {}},
    {"ReduceMaxOfRows", "ReduceMax", kOpset, kDims, {Axes{{3}}}, {}},
    {"ReduceMaxOfChannels", "ReduceMax", kOpset, kDims, {Axes{{1}}}, {}},
    {"ReduceMin", "ReduceMin", kOpset, kDims, {Axes{{2, 3}}}, {}},
    {"ReduceMinOfChannels", "ReduceMin", kOpset, kDims, {Axes{{1}}}, {}},
    {"ReduceMean", "ReduceMean", kOpset, kDims, {Axes{{2, 3}}}, {}},
    {"ReduceSum", "ReduceSum", kOpset, kDims, {Axes{{1}}}, {}},
    {"Softmax", "Softmax", kOpset, kDims, {}, {}},
    {"SoftmaxInFours", "Softmax", kOpset, {5, 8}, {}, {}},
    {"LogSoftmax", "LogSoftmax", kOpset, kDims, {}, {}},
    {"MatMul", "MatMul", kOpset, {7, 9}, {Random{{9, 5}}}, {}},
};

class GpuNotNumbers : public ::testing::TestWithParam<Edge> {};

TEST_P(GpuNotNumbers, IsHandedOnWhereTheCpuDoes) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  EdgeModel made(GetParam());
  for (std::size_t i = 0; i < made.inputs.size(); ++i) spoil(made.inputs[i], 2 + i, 37);
  auto cpu = Loaded::load(made.bytes(), Where::kCpu);
  auto gpu = Loaded::load(made.bytes(), Where::kGpu);
  ASSERT_TRUE(cpu.ok() && gpu.ok()) << cpu.status().message() << gpu.status().message();
  const HostTensor wanted = cpu->run(made.inputs)->front(), got = gpu->run(made.inputs)->front();
  EXPECT_EQ(laundered(got, wanted), "")
      << not_numbers(got) << " here, " << not_numbers(wanted) << " on the cpu";
}

const auto name_of_edge = [](const auto& edge) { return std::string(edge.param.name); };
INSTANTIATE_TEST_SUITE_P(Elementwise, GpuNotNumbers, ::testing::ValuesIn(kElementwise), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Windows, GpuNotNumbers, ::testing::ValuesIn(kWindows), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Rows, GpuNotNumbers, ::testing::ValuesIn(kRows), name_of_edge);

// In one launch with a convolution or a matrix product, of one channel more than whole groups have.
TEST(GpuNotANumber, IsHandedOnByActivationsThatAreFused) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  for (const char* activation : {"Relu", "LeakyRelu", "PRelu", "Clip", "HardSigmoid", "HardSwish", "Sigmoid"})
    for (const char* product : {"Conv", "MatMul"}) {
      SCOPED_TRACE(std::string(product) + activation);
      RandomModel made;
      Maker maker(9, made);
      const bool conv = std::string_view(product) == "Conv";
      const Dims dims = conv ? Dims{1, 9, 6, 6} : Dims{6, 9};
      maker.put(product,
                {maker.input(conv ? Dims{1, 5, 6, 6} : Dims{6, 5}).name,
                 maker.constant(conv ? Dims{9, 5, 1, 1} : Dims{5, 9}, -1, 1)},
                dims);
      maker.values.back().read = true;
      std::vector<std::string> inputs = {maker.values.back().name};
      if (std::string_view(activation) == "PRelu")
        inputs.push_back(maker.constant(conv ? Dims{9, 1, 1} : Dims{9}, 0.1F, 0.3F));
      if (std::string_view(activation) == "Clip")
        inputs.insert(inputs.end(), {maker.scalar(0), maker.scalar(6)});
      maker.put(activation, inputs, dims);
      maker.finish();
      spoil(made.inputs[0], 3, 11);
      auto cpu = Loaded::load(made.model, Where::kCpu);
      auto gpu = Loaded::load(made.model, Where::kGpu);
      ASSERT_TRUE(cpu.ok() && gpu.ok()) << cpu.status().message() << gpu.status().message();
      const HostTensor wanted = cpu->run(made.inputs)->front(), got = gpu->run(made.inputs)->front();
      EXPECT_GT(not_numbers(got), 0u);
      EXPECT_EQ(laundered(got, wanted), "");
    }
}

}  // namespace
}  // namespace sluice::testing
