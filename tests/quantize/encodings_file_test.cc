#include "quantize/encodings_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/quantize/models.h"

namespace sluice::quantize {
namespace {

using namespace testing;  // NOLINT: the helpers of these tests
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// x -> Conv(w, b) -> y
pb::ModelProto network() {
  NetworkBuilder b(21);
  b.model.set_ir_version(10);
  b.input("x", {1, 2, 4, 4}).random("w", {3, 2, 1, 1}, 1).random("b", {3}, 2).output("y", {1, 3, 4, 4});
  b.node("Conv", {"x", "w", "b"}, {"y"});
  return b.model;
}

Result<GivenEncodings> read(const std::string& text, const std::set<std::string>& original = {}) {
  return read_encodings(text, network().graph(), original);
}

std::string problem(const std::string& text) {
  const auto out = read(text);
  return out.ok() ? "" : out.status().message();
}

TEST(EncodingsFile, Form061WithDictionariesAndComments) {
  const auto given = read(R"({
    // as AIMET writes it
    "version": "0.6.1",
    "activation_encodings": {
      "x": [{"bitwidth": 8, "dtype": "int", "is_symmetric": "False", "max": 1.55, "min": -1.0, "offset": -100, "scale": 0.01}],
      "y": [{"bitwidth": 16, "is_symmetric": "False", "offset": -0, "scale": 0.001}]
    },
    "param_encodings": {
      "w": [{"bitwidth": 8, "is_symmetric": "True", "max": 1.27, "min": -1.28, "offset": -128, "scale": 0.01},
            {"bitwidth": 8, "is_symmetric": "True", "offset": -128, "scale": 0.02},
            {"bitwidth": 8, "is_symmetric": "True", "offset": 0, "scale": 0.04}],
      "b": [{"bitwidth": 32, "is_symmetric": "True", "offset": 0, "scale": 0.0001}]
    }
  })");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->activations.at("x"), (Encoding{8, false, -1, {0.01f}, {100}}));
  EXPECT_EQ(given->activations.at("y"), (Encoding{16, false, -1, {0.001f}, {0}}));
  EXPECT_EQ(given->parameters.at("w"), (Encoding{8, true, 0, {0.01f, 0.02f, 0.04f}, {0, 0, 0}}));
  EXPECT_THAT(given->notes, ElementsAre(HasSubstr("1 encodings of biases")));
}

TEST(EncodingsFile, Form100WithLists) {
  const auto given = read(R"({"version": "1.0.0",
    "activation_encodings": [{"name": "x", "dtype": "INT", "bw": 8, "is_sym": false, "enc_type": "PER_TENSOR", "scale": [0.5], "offset": [-3]}],
    "param_encodings": [{"name": "w", "dtype": "INT", "bw": 8, "is_sym": true, "enc_type": "PER_CHANNEL",
                         "scale": [1, 2, 3], "offset": [-128, -128, -128]}]})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->activations.at("x"), (Encoding{8, false, -1, {0.5f}, {3}}));
  EXPECT_EQ(given->parameters.at("w").axis, 0);
}

TEST(EncodingsFile, DefaultsForTheWidth) {
  const auto given = read(R"({"activation_bitwidth": 16, "param_bitwidth": 8, "bias_bitwidth": 32,
    "activation_encodings": {"x": [{"min": -1.0, "max": 1.0}]}, "param_encodings": {"w": [{"scale": 0.1, "offset": -7}]}})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->activations.at("x").bits, 16);
  EXPECT_EQ(given->activation_bits, 16);
  EXPECT_EQ(given->parameters.at("w"), (Encoding{8, false, -1, {0.1f}, {7}}));
}

// They were measured, with 8 bits and without a word.
TEST(EncodingsFile, WeightsWithoutAnEntryCannotHaveSixteenBits) {
  EXPECT_EQ(
      problem(R"({"param_bitwidth": 16, "activation_encodings": {}})"),
      "param_bitwidth is 16, but 1 weights have no entry ('w'), and weights that are measured have 8 bits; "
      "give them entries, or write 8");
  const auto given =
      read(R"({"param_bitwidth": 16, "param_encodings": {"w": [{"scale": 0.1, "offset": -7}]}})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->parameters.at("w").bits, 16);
  EXPECT_EQ(given->activation_bits, std::nullopt);
}

TEST(EncodingsFile, APositiveOffsetIsTheZeroPointAndSaidSo) {
  const auto given =
      read(R"({"activation_encodings": {"x": [{"scale": 0.01, "offset": 100, "min": -1.0, "max": 1.55}]}})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->activations.at("x").zero_point[0], 100);
  EXPECT_THAT(given->notes,
              ElementsAre(HasSubstr("1 encodings have positive offsets: taken for zero points")));
}

// It was left out as "folded away".
TEST(EncodingsFile, AnEntryUnderTheOtherKeyIsTakenAsWhatItsTensorIs) {
  const auto given = read(R"({"activation_encodings": {"w": [{"scale": 0.01, "offset": -7}]},
                              "param_encodings": {"x": [{"scale": 0.02, "offset": -9}]}})",
                          {"w", "x"});
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->parameters.at("w").zero_point[0], 7);
  EXPECT_EQ(given->activations.at("x").zero_point[0], 9);
  EXPECT_THAT(given->notes, ElementsAre(HasSubstr("2 encodings stand under activations but")));
}

TEST(EncodingsFile, AllProblemsAtOnceWithTheirNames) {
  EXPECT_EQ(problem(R"({"activation_encodings": {
      "xx": [{"scale": 1, "offset": 0}],
      "x": [{"scale": 0.01, "offset": -100, "min": -2.0, "max": 0.55}],
      "y": [{"bitwidth": 4, "scale": 1, "offset": 0}]},
    "param_encodings": {"w": [{"scale": 1, "offset": 0, "is_symmetric": true}, {"scale": 1, "offset": 0, "is_symmetric": true}]}})"),
            "activation_encodings: the model has no tensor 'xx'\n"
            "activation_encodings: 'x' contradicts itself: scale 0.01 with zero point 100 covers -1 to 1.55, "
            "min and max say "
            "-2 to 0.55\n"
            "activation_encodings: 'y' has 4 bits, allowed: 8, 16\n"
            "param_encodings: 'w' has 2 encodings for 3 channels");
}

TEST(EncodingsFile, WhatCannotBeMeant) {
  const auto of = [](const std::string& entry) {
    return problem(R"({"activation_encodings": {"x": [)" + entry + "]}}");
  };
  EXPECT_THAT(of(R"({"scale": 0, "offset": 0})"), HasSubstr("'x' has a scale of 0, allowed: above 0"));
  EXPECT_THAT(of(R"({"scale": 1, "offset": -300})"),
              HasSubstr("'x' has the zero point 300, outside of its 8 bits"));
  EXPECT_THAT(of(R"({"scale": 1})"), HasSubstr("'x' has a scale without offset"));
  EXPECT_THAT(of(R"({"min": 1, "max": 1})"), HasSubstr("'x' has neither scale and offset nor min below max"));
  EXPECT_THAT(of(R"({"dtype": "float", "bitwidth": 16})"),
              HasSubstr("'x' has the type 'float', only int can be given"));
  EXPECT_THAT(of(R"({"scale": "0.1", "offset": 0})"),
              HasSubstr("'x' has the scale \"0.1\", which is no number"));
  EXPECT_THAT(of(R"({"scale": 1, "offset": -1.5})"),
              HasSubstr("'x' has the offset -1.5, which is no whole number"));
  EXPECT_THAT(of(R"({"bitwidth": 8.5, "scale": 1, "offset": 0})"), HasSubstr("'x' has 8.5 bits, allowed: 8"));
  EXPECT_THAT(of(R"({"is_symmetric": "True", "min": 0, "max": 4})"),
              HasSubstr("'x' is symmetric with min 0 and max 4"));
  EXPECT_THAT(problem(R"({"activation_bitwidth": 12, "bias_bitwidth": 8, "param_encodings": {}})"),
              ::testing::Eq("activation_bitwidth is 12, allowed: 8, 16\nbias_bitwidth is 8, allowed: 32"));
  EXPECT_THAT(problem(R"({"activation_encodings": [{"name": "x", "scale": [1], "offset": [0]},
                                                   {"name": "x", "scale": [2], "offset": [0]}]})"),
              HasSubstr("activation_encodings: 'x' is there twice"));
  EXPECT_EQ(problem(R"({"activation_encodings": {"x": [{"scale": 1, "offset": 0}],
                                                 "x": [{"scale": 2, "offset": 0}]}})"),
            "'x' is there twice");
  EXPECT_THAT(problem("[1]"), HasSubstr("is no JSON object"));
  EXPECT_THAT(problem("{"), StartsWith("cannot be read: parse error at line 1"));
}

TEST(EncodingsFile, UnknownFormsAreNotReadAsNothing) {
  EXPECT_EQ(problem(R"({"version": "2.0.0", "encodings": []})"), "has version '2.0.0', known: 0.6.1, 1.0.0");
  EXPECT_EQ(problem(R"({"version": 3, "activation_encodings": []})"), "has version '3', known: 0.6.1, 1.0.0");
  EXPECT_EQ(problem(R"({"version": "0.6.1"})"), "has neither activation_encodings nor param_encodings");
  EXPECT_EQ(problem(R"({"param_encodings": {}})"), "");
}

TEST(EncodingsFile, DefaultsAloneAreAFileToo) {
  const auto given = read(R"({"activation_bitwidth": 16})");
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_EQ(given->activation_bits, 16);
}

TEST(EncodingsFile, WhatEqualisingScaledIsNamedByItsNewName) {
  NetworkBuilder b;
  b.input("x", {1, 2, 4, 4}).random("w_equalized", {3, 2, 1, 1}, 1).output("y", {1, 3, 4, 4});
  b.node("Conv", {"x", "w_equalized"}, {"y"});
  const auto of = [&](const std::string& name) {
    return read_encodings(R"({"param_encodings": {")" + name + R"(": [{"scale": 1, "is_symmetric": true}]}})",
                          b.model.graph(), {"w"});
  };
  EXPECT_EQ(
      of("w").status().message(),
      "1 entries, the first of 'w', are of tensors that hold other numbers after --equalize; leave it out, "
      "or take encodings that were written with it");
  EXPECT_TRUE(of("w_equalized").ok());
  EXPECT_EQ(
      problem(R"({"activation_encodings": {"x_equalized": [{"scale": 1, "offset": 0}]}})"),
      "1 entries, the first of 'x_equalized', are of tensors as they are after --equalize; write --equalize "
      "too");
}

TEST(EncodingsFile, FoldedTensorsAreLeftOutAndSaidSo) {
  const auto given =
      read(R"({"activation_encodings": {"conv_out": [{"scale": 1, "offset": 0}]}})", {"conv_out"});
  ASSERT_TRUE(given.ok()) << given.status().message();
  EXPECT_TRUE(given->activations.empty());
  EXPECT_THAT(given->notes,
              ElementsAre(HasSubstr("1 encodings are of tensors that preparing the model folded away")));
}

TEST(EncodingsFile, WrittenAndReadBackGiveTheSamePlan) {
  const pb::ModelProto model = network();
  RandomSamples samples({1, 2, 4, 4}, 4, 3), others({1, 2, 4, 4}, 4, 4, 7.0f);
  const auto statistics = collect(model, samples, {}), unlike = collect(model, others, {});
  ASSERT_TRUE(statistics.ok() && unlike.ok());
  for (const bool per_channel : {true, false}) {
    const auto plan = make_plan(model.graph(), *statistics, {.bits = 16, .per_channel = per_channel});
    ASSERT_TRUE(plan.ok());
    const auto given = read_encodings(write_encodings(model.graph(), *plan, 8), model.graph(), {});
    ASSERT_TRUE(given.ok()) << given.status().message();
    const auto again = make_plan(
        model.graph(), *unlike,
        {.per_channel = per_channel, .activations = given->activations, .parameters = given->parameters});
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(again->activations, plan->activations);
    ASSERT_EQ(again->constants.size(), plan->constants.size());
    for (std::size_t i = 0; i < plan->constants.size(); ++i)
      EXPECT_EQ(again->constants[i].encoding, plan->constants[i].encoding) << i;
  }
}

}  // namespace
}  // namespace sluice::quantize
