// What a Gemm adds is a row of constants, or nothing.
#include "quantize/gemm_bias.h"

#include <gtest/gtest.h>

#include "quantize/float_model.h"
#include "quantize/graph_index.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

struct Form {
  Dims bias;
  bool constant;
  float beta;
  bool taken_out;
};

class GemmBias : public ::testing::TestWithParam<Form> {};

// [3,4] data by [4,5] weights.
TEST_P(GemmBias, ComputesTheSameWithARowOrAnAdd) {
  const Form& form = GetParam();
  NetworkBuilder b;
  b.input("x", {3, 4}).random("w", {4, 5}, 1).output("y", {3, 5});
  b.random(form.constant ? "c" : "k", form.bias, 2);
  if (!form.constant) b.node("Relu", {"k"}, {"c"});
  pb::NodeProto& gemm = b.node("Gemm", {"x", "w", "c"}, {"y"});
  add_float(gemm, "beta", form.beta);
  const std::vector<float> x = some_numbers({3, 4}, 3), before = run(b.model, {3, 4}, x);
  const Status status = free_gemm_biases(*b.model.mutable_graph());
  ASSERT_TRUE(status.ok()) << status.message();
  const GraphIndex index(b.model.graph());
  bool taken_out = false;
  for (const pb::NodeProto& node : b.model.graph().node()) {
    taken_out = taken_out || node.op_type() == "Add";
    if (node.op_type() != "Gemm" || node.input_size() < 3) continue;
    const pb::TensorProto* const row = index.initializer(node.input(2));
    ASSERT_TRUE(row);
    EXPECT_EQ(elements_of(*row), 5);
  }
  EXPECT_EQ(taken_out, form.taken_out);
  const std::vector<float> after = run(b.model, {3, 4}, x);
  ASSERT_EQ(before.size(), after.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NEAR(before[i], after[i], 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Forms, GemmBias,
                         ::testing::Values(Form{{5}, true, 1, false}, Form{{1, 5}, true, 2, false},
                                           Form{{}, true, 3, false}, Form{{1}, true, 1, false},
                                           Form{{1, 1}, true, 1, false}, Form{{3, 1}, true, 1, true},
                                           Form{{3, 5}, true, 0.5f, true}, Form{{5}, false, 2, true}));

TEST(GemmBiases, ARowOfUnknownLengthStays) {
  NetworkBuilder b;
  b.input("x", {3, 4}).input("z", {4, 5}).random("c", {5}, 1).output("y", {3, 5});
  b.node("Gemm", {"x", "z", "c"}, {"y"});
  ASSERT_TRUE(free_gemm_biases(*b.model.mutable_graph()).ok());
  EXPECT_EQ(b.model.graph().node_size(), 1);
}

// Nothing of it is left when weights are encoded: a bias of another form made a model that nobody can run.
TEST(GemmBiases, AreFreedWhenAModelIsPrepared) {
  NetworkBuilder b;
  b.input("x", {3, 4}).random("w", {4, 5}, 1).random("c", {3, 5}, 2).output("y", {3, 5});
  b.node("Gemm", {"x", "w", "c"}, {"y"});
  ASSERT_TRUE(prepare(b.model, {}).ok());
  EXPECT_EQ(b.model.graph().node(0).input_size(), 2);
}

}  // namespace
}  // namespace sluice::quantize
