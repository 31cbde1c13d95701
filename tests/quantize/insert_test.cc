#include "quantize/insert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "quantize/graph_index.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

NetworkBuilder network(std::int64_t opset) {
  NetworkBuilder b(opset);
  b.input("x", {1, 2, 4, 4}).random("w", {3, 2, 1, 1}, 1).random("b", {3}, 2).value("c", {1, 3, 4, 4});
  b.value("r", {1, 3, 4, 4}).output("y", {1, 3, 4, 4}).output("z", {1, 3, 4, 4});
  b.node("Conv", {"x", "w", "b"}, {"c"});
  b.node("Relu", {"c"}, {"r"});
  b.node("Add", {"r", "r"}, {"y"});
  b.node("Sigmoid", {"y"}, {"z"});
  return b;
}

pb::ModelProto quantised(const Scheme& scheme, EdgeType edges) {
  NetworkBuilder b = network(21);
  b.model.set_ir_version(10);
  RandomSamples samples({1, 2, 4, 4}, 8, 1);
  const auto statistics = collect(b.model, samples, {});
  EXPECT_TRUE(statistics.ok());
  absorb_clips(*b.model.mutable_graph(), {});
  const auto plan = make_plan(b.model.graph(), *statistics, scheme);
  EXPECT_TRUE(plan.ok()) << plan.status().message();
  const Status status = insert_encodings(*b.model.mutable_graph(), *plan, edges);
  EXPECT_TRUE(status.ok()) << status.message();
  return b.model;
}

std::map<std::string, int> types(const pb::ModelProto& model) {
  std::map<std::string, int> out;
  for (const auto& node : model.graph().node()) ++out[node.op_type()];
  return out;
}

// Every operator that is no Q or DQ reads DQs and writes into Qs.
void expect_integer_everywhere(const pb::ModelProto& model) {
  const GraphIndex index(model.graph());
  for (const auto& node : model.graph().node()) {
    if (node.op_type().ends_with("tizeLinear") || node.op_type().ends_with("antizeLinear")) continue;
    for (const std::string& input : node.input()) {
      const int maker = index.producer(input);
      ASSERT_GE(maker, 0) << node.name() << " reads " << input;
      EXPECT_EQ(model.graph().node(maker).op_type(), "DequantizeLinear") << node.name();
    }
    for (const std::string& output : node.output()) {
      ASSERT_EQ(index.uses(output).size(), 1u) << output;
      EXPECT_EQ(model.graph().node(index.uses(output)[0].node).op_type(), "QuantizeLinear") << node.name();
    }
  }
}

TEST(Insert, EveryOperatorIsBetweenIntegers) {
  for (const int bits : {8, 16}) {
    const pb::ModelProto model = quantised({.bits = bits}, EdgeType::kFloat);
    expect_integer_everywhere(model);
    EXPECT_EQ(types(model)["Relu"], 0);
    for (const auto& tensor : model.graph().initializer())
      EXPECT_TRUE(tensor.data_type() != pb::TensorProto::FLOAT ||
                  tensor.name().find("_scale") != std::string::npos)
          << tensor.name() << " is a float weight that nobody reads";
  }
}

double snr(const std::vector<float>& reference, const std::vector<float>& value) {
  double signal = 0, error = 0;
  for (std::size_t i = 0; i < reference.size(); ++i) {
    signal += static_cast<double>(reference[i]) * reference[i];
    error += static_cast<double>(reference[i] - value[i]) * (reference[i] - value[i]);
  }
  return 10 * std::log10(signal / error);
}

TEST(Insert, ResultsStayCloseToTheFloatNetwork) {
  const Dims dims = {1, 2, 4, 4};
  const std::vector<float> x = some_numbers(dims, 77);
  const std::vector<float> reference = run(network(21).model, dims, x);
  EXPECT_GT(snr(reference, run(quantised({.bits = 8}, EdgeType::kFloat), dims, x)), 35.0);
  EXPECT_GT(snr(reference, run(quantised({.bits = 16}, EdgeType::kFloat), dims, x)), 40.0);
  EXPECT_GT(snr(reference,
                run(quantised({.bits = 8, .operator_bits = {{"Add_y", 16}}}, EdgeType::kFloat), dims, x)),
            35.0);
}

TEST(Insert, EdgesKeepTheirNamesAndCanBeIntegers) {
  const pb::ModelProto floats = quantised({.bits = 8}, EdgeType::kFloat);
  EXPECT_EQ(floats.graph().input(0).type().tensor_type().elem_type(), pb::TensorProto::FLOAT);
  const pb::ModelProto integers = quantised({.bits = 8}, EdgeType::kQuantised);
  for (const auto* edge :
       {&integers.graph().input(0), &integers.graph().output(0), &integers.graph().output(1)})
    EXPECT_EQ(edge->type().tensor_type().elem_type(), pb::TensorProto::UINT8) << edge->name();
  EXPECT_EQ(integers.graph().input(0).name(), "x");
  EXPECT_EQ(integers.graph().output(0).name(), "y");
  const std::string bytes = integers.SerializeAsString();
  EXPECT_TRUE(ort::Evaluator::open(bytes, ort::Evaluator::Effort::kAsWritten).ok());
}

TEST(Insert, AConversionStandsBetweenWidths) {
  const pb::ModelProto model = quantised({.bits = 8, .operator_bits = {{"Add_y", 16}}}, EdgeType::kFloat);
  const GraphIndex index(model.graph());
  int wide = 0;
  for (const auto& node : model.graph().node()) {
    if (node.op_type() != "QuantizeLinear") continue;
    wide += index.initializer(node.input(2))->data_type() == pb::TensorProto::UINT16;
  }
  EXPECT_EQ(wide, 2) << "r for Add, and y itself";
  expect_integer_everywhere(model);
}

}  // namespace
}  // namespace sluice::quantize
