#include "quantize/mixed.h"

#include <gtest/gtest.h>

#include "quantize/insert.h"
#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests

// x -> depthwise Conv (wide) -> Relu -> depthwise Conv (narrow) -> Neg -> y: the first result holds values of
// very different size per channel, so that rounding it to 8 bits harms; the other operators are harmless.
pb::ModelProto uneven() {
  NetworkBuilder b(21);
  b.model.set_ir_version(10);
  b.input("x", {1, 4, 1, 1}).weight("wide", {4, 1, 1, 1}, {100, 10, 1, 1});
  b.weight("narrow", {4, 1, 1, 1}, {0.01f, 0.1f, 1, 1});
  for (const char* name : {"m", "r", "n"}) b.value(name, {1, 4, 1, 1});
  b.output("y", {1, 4, 1, 1});
  set_attribute(b.node("Conv", {"x", "wide"}, {"m"}), "group", 4);
  b.node("Relu", {"m"}, {"r"});
  set_attribute(b.node("Conv", {"r", "narrow"}, {"n"}), "group", 4);
  b.node("Neg", {"n"}, {"y"});
  return b.model;
}

struct Tried {
  MixedChoice choice;
  std::size_t held_out = 0;
};

Tried choose(const Target& target) {
  const pb::ModelProto whole = uneven();
  RandomSamples samples({1, 4, 1, 1}, 40, 3);
  InterruptibleSamples all(samples, {});
  HeldOut others(all);
  const auto statistics = collect(whole, others, {});
  EXPECT_TRUE(statistics.ok());
  const auto judge = Judge::make(whole, others);
  EXPECT_TRUE(judge.ok()) << judge.status().message();
  pb::ModelProto network = whole;
  absorb_clips(*network.mutable_graph(), {});
  auto choice = choose_mixed(network, whole, *statistics, {}, *judge, target);
  EXPECT_TRUE(choice.ok()) << choice.status().message();
  EXPECT_EQ(statistics->samples + others.size(), 40u);
  return {std::move(*choice), others.size()};
}

TEST(Mixed, RaisesTheHarmfulOperatorAndNoMoreThanItNeeds) {
  const Tried tried = choose({.max_mse = {}, .min_snr = 30.0});
  EXPECT_EQ(tried.held_out, 10u);
  EXPECT_LT(tried.choice.before.snr_db, 30.0);
  EXPECT_GE(tried.choice.after.snr_db, 30.0);
  ASSERT_FALSE(tried.choice.raised.empty());
  EXPECT_LT(tried.choice.raised.size(), static_cast<std::size_t>(tried.choice.candidates));
  EXPECT_EQ(tried.choice.raised[0].name, "Conv_m");
  EXPECT_EQ(tried.choice.operator_bits.at("Conv_m"), 16);
}

TEST(Mixed, RaisesNothingThatIsGoodEnough) {
  const Tried tried = choose({.max_mse = {}, .min_snr = -100.0});
  EXPECT_TRUE(tried.choice.raised.empty());
  EXPECT_EQ(tried.choice.after.snr_db, tried.choice.before.snr_db);
}

TEST(Mixed, RaisesEverythingForWhatCannotBeReached) {
  const Tried tried = choose({.max_mse = 0.0, .min_snr = {}});
  EXPECT_EQ(tried.choice.raised.size(), static_cast<std::size_t>(tried.choice.candidates));
  EXPECT_GT(tried.choice.after.mse, 0.0);
  EXPECT_LT(tried.choice.after.mse, tried.choice.before.mse);
}

TEST(HeldOut, TooFewSamplesCannotBeMeasured) {
  RandomSamples samples({1, 4, 1, 1}, 3, 3);
  InterruptibleSamples few(samples, {});
  HeldOut others(few);
  ASSERT_TRUE(collect(uneven(), others, {}).ok());
  EXPECT_EQ(Judge::make(uneven(), others).status().message(),
            "no sample can be held out: at least 4 are needed to measure");
}

}  // namespace
}  // namespace sluice::quantize
