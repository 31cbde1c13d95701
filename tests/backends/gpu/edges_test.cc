// Operators with attributes, versions and shapes that models rarely have, against ONNX Runtime's CPU
// provider: the same numbers on the gpu, or a reason why the node stays with the CPU.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/backends/gpu/edge_resizes.h"
#include "tests/backends/gpu/edge_tables.h"
#include "tests/backends/gpu/random_maker.h"

namespace sluice::testing {
namespace {

using ::testing::HasSubstr;

class GpuEdge : public ::testing::TestWithParam<Edge> {};

TEST_P(GpuEdge, HasTheCpusNumbers) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  const EdgeModel made(GetParam());
  auto cpu = Loaded::load(made.bytes(), Where::kCpu);
  ASSERT_TRUE(cpu.ok()) << cpu.status().message();
  const bool refused = *GetParam().refused != '\0';
  auto gpu = Loaded::load(made.bytes(), Where::kGpu, {}, refused);
  ASSERT_TRUE(gpu.ok()) << gpu.status().message();
  if (refused) {
    EXPECT_THAT(ort::recent_warnings(), HasSubstr(std::string(") ") + GetParam().refused));
  }
  const auto wanted = cpu->run(made.inputs);
  const auto got = gpu->run(made.inputs);
  ASSERT_TRUE(wanted.ok()) << wanted.status().message();
  ASSERT_TRUE(got.ok()) << got.status().message();
  for (std::size_t i = 0; i < got->size(); ++i)
    EXPECT_EQ(difference((*got)[i], (*wanted)[i], 1e-4), "") << (*got)[i].name;
}

const auto name_of_edge = [](const auto& edge) { return std::string(edge.param.name); };

INSTANTIATE_TEST_SUITE_P(Windows, GpuEdge, ::testing::ValuesIn(kEdgeWindows), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Elementwise, GpuEdge, ::testing::ValuesIn(kEdgeElementwise), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Rows, GpuEdge, ::testing::ValuesIn(kEdgeRows), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Moves, GpuEdge, ::testing::ValuesIn(kEdgeMoves), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Packed, GpuEdge, ::testing::ValuesIn(kEdgePacked), name_of_edge);
INSTANTIATE_TEST_SUITE_P(ResizeModes, GpuEdge, ::testing::ValuesIn(edge_resize_modes()), name_of_edge);
INSTANTIATE_TEST_SUITE_P(Resizes, GpuEdge, ::testing::ValuesIn(kEdgeResizes), name_of_edge);

// Out of the type's range only the lower bits count, whether the integers leave the gpu or not.
TEST(GpuCasts, IntegersKeepTheirLowerBits) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  using Type = onnx::TensorProto;
  const std::vector<Dims> chains = {{Type::UINT8},
                                    {Type::INT8},
                                    {Type::INT16, Type::UINT8},
                                    {Type::INT16, Type::INT8},
                                    {Type::INT16, Type::UINT16, Type::INT8},
                                    {Type::UINT16, Type::INT16},
                                    {Type::INT8, Type::UINT16, Type::BOOL}};
  for (const Dims& types : chains) {
    SCOPED_TRACE(::testing::PrintToString(types));
    RandomModel made;
    Maker maker(5, made);
    const Dims dims = {3, 37};
    maker.put("Mul", {maker.input(dims).name, maker.scalar(300)}, dims);
    maker.values.back().read = true;
    std::string name = maker.values.back().name;
    for (const std::int64_t type : types) {
      onnx::NodeProto& node = maker.add("Cast", {name});
      Maker::attribute(node, "to", {type});
      name = node.output(0);
    }
    maker.put("Cast", {name}, dims, {{"to", {Type::FLOAT}}});
    maker.finish();
    auto cpu = Loaded::load(made.model, Where::kCpu);
    auto gpu = Loaded::load(made.model, Where::kGpu);
    ASSERT_TRUE(cpu.ok() && gpu.ok()) << gpu.status().message();
    EXPECT_EQ(difference(gpu->run(made.inputs)->front(), cpu->run(made.inputs)->front(), 0), "");
  }
}

// A bias has one dimension, and its scale may be a list of one.
TEST(GpuQuantized, AVectorWithAListOfOneScale) {
  ASSERT_TRUE(gpu_available().ok()) << gpu_available().message();
  RandomModel made;
  Maker maker(6, made);
  const Dims dims = {37};
  const std::string scale = maker.numbers({0.03F});
  onnx::NodeProto& node = maker.add("QuantizeLinear", {maker.input(dims).name, scale, maker.bytes({128})});
  maker.put("DequantizeLinear", {node.output(0), scale, maker.bytes({128})}, dims);
  maker.finish();
  auto cpu = Loaded::load(made.model, Where::kCpu);
  auto gpu = Loaded::load(made.model, Where::kGpu);
  ASSERT_TRUE(cpu.ok() && gpu.ok()) << gpu.status().message();
  EXPECT_EQ(difference(gpu->run(made.inputs)->front(), cpu->run(made.inputs)->front(), 1e-6), "");
}

}  // namespace
}  // namespace sluice::testing
