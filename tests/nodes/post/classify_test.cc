#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "nodes/post_nodes.h"
#include "tests/nodes/post/decoder_testing.h"

namespace sluice {
namespace {

using namespace sluice::testing;
using ::testing::HasSubstr;

class ClassifyTest : public ::testing::Test {
 protected:
  template <typename T>
  std::vector<ClassScore> run(const TensorType& type, const std::vector<T>& scores, OptionMap written = {}) {
    const OptionsPtr options = options_of(declaration_, std::move(written));
    OpenSetup setup(options);
    setup.input(0, tensor_port(type));
    node_ = declaration_.create().value();
    EXPECT_TRUE(node_->open(setup.context()).ok());
    context_.set_options(options);
    context_.set_output(0, port_of(PortKind::kClasses));
    return again(type, scores);
  }
  template <typename T>
  std::vector<ClassScore> again(const TensorType& type, const std::vector<T>& scores) {
    context_.clear();
    context_.set_input(0, make_tensor(type, scores));
    status_ = node_->process(context_);
    if (!status_.ok()) return {};
    const Classes& classes = *context_.emitted().at(0).get<Classes>();
    return {classes.items.begin(), classes.items.begin() + static_cast<std::ptrdiff_t>(classes.count)};
  }
  Status check(const TensorType& type, OptionMap written = {}) {
    FakeTypes types(options_of(declaration_, std::move(written)));
    types.ports = {{tensor_port(type)}};
    return declaration_.infer_types(types).status();
  }

  NodeDeclaration declaration_ = classify_declaration();
  FakeContext context_;
  std::unique_ptr<Node> node_;
  Status status_;
};

const TensorType kThree = tensor_type("scores", {1, 3});

TEST_F(ClassifyTest, SortsProbabilitiesAndLeavesThemAlone) {
  const auto found = run(kThree, std::vector<float>{0.2F, 0.7F, 0.1F});
  ASSERT_EQ(found.size(), 3U) << "fewer classes than top_k";
  EXPECT_EQ(found[0].index, 1);
  EXPECT_FLOAT_EQ(found[0].score, 0.7F);
  EXPECT_EQ(found[2].index, 2);
}

TEST_F(ClassifyTest, TurnsLogitsIntoProbabilities) {
  const auto found =
      run(kThree, std::vector<float>{0, std::log(2.0F), std::log(5.0F)}, {{"top_k", integer(2)}});
  ASSERT_EQ(found.size(), 2U);
  EXPECT_FLOAT_EQ(found[0].score, 5.0F / 8);
  EXPECT_FLOAT_EQ(found[1].score, 2.0F / 8);
}

TEST_F(ClassifyTest, OnceLogitsAlwaysLogits) {
  run(kThree, std::vector<float>{0, 0, 5});
  const auto found = again(kThree, std::vector<float>{0.5F, 0.5F, 0.5F});
  EXPECT_FLOAT_EQ(found[0].score, 1.0F / 3);
}

TEST_F(ClassifyTest, SoftmaxCanBeForced) {
  EXPECT_FLOAT_EQ(run(kThree, std::vector<float>{0, 0, 0}, {{"softmax", text("on")}})[0].score, 1.0F / 3);
  EXPECT_FLOAT_EQ(run(kThree, std::vector<float>{0, 0, 7}, {{"softmax", text("off")}})[0].score, 7);
}

TEST_F(ClassifyTest, LargeLogitsDoNotOverflow) {
  EXPECT_FLOAT_EQ(run(kThree, std::vector<float>{1e30F, 0, -1e30F})[0].score, 1);
}

TEST_F(ClassifyTest, EqualScoresGoByIndex) {
  const auto found = run(kThree, std::vector<float>{0.3F, 0.3F, 0.3F});
  EXPECT_EQ(found[0].index, 0);
  EXPECT_EQ(found[2].index, 2);
}

TEST_F(ClassifyTest, ReadsQuantisedScores) {
  const TensorType type = quantised(tensor_type("scores", {1, 3, 1, 1}), DType::kUint8, 1.0F / 256, 0);
  const auto found = run(type, std::vector<std::uint8_t>{64, 128, 0});
  EXPECT_EQ(found[0].index, 1);
  EXPECT_FLOAT_EQ(found[0].score, 0.5F);
  EXPECT_TRUE(declaration_.fold(FakeTypes(), FoldDirection::kInput, type));
  EXPECT_FALSE(declaration_.fold(FakeTypes(), FoldDirection::kOutput, type));
}

TEST_F(ClassifyTest, FailsOnScoresThatAreNotFinite) {
  run(kThree, std::vector<float>{0, std::nanf(""), 0});
  EXPECT_EQ(status_.message(), "the score of class 1 is not finite");
}

TEST_F(ClassifyTest, RefusesWhatIsNotOneScorePerClass) {
  EXPECT_THAT(check(tensor_type("x", {1, 3, 4})).message(), HasSubstr("it takes one score per class"));
  EXPECT_THAT(check(tensor_type("x", {1, 3}, DType::kFloat64)).message(),
              HasSubstr("cannot read float64 1x3"));
  EXPECT_EQ(check(kThree, {{"labels", texts({"a", "b"})}}).message(),
            "option 'labels' has 2 names, but the model has 3 classes");
  EXPECT_TRUE(check(kThree, {{"labels", texts({"a", "b", "c"})}}).ok());
}

}  // namespace
}  // namespace sluice
