#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/framework/spec/spec_testing.h"

namespace sluice {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const std::string kHash(64, 'A');

std::vector<std::string> issues_of(const std::string& model) {
  return testing::issues_of(testing::with_node("models:\n  face: " + model + "\n"));
}

TEST(Models, AHashWithoutQuotesIsATextWhateverItsDigits) {
  for (const std::string& hash :
       {std::string(64, '0'), std::string(64, '7'), std::string(30, '1') + "e" + std::string(33, '9')}) {
    const auto parsed =
        testing::parse(testing::with_node("models:\n  face: {path: x, sha256: " + hash + "}\n"));
    ASSERT_TRUE(parsed.ok()) << hash;
    EXPECT_EQ(parsed.spec.models.at(0).sha256, hash);
  }
}

TEST(Models, ReadsAll) {
  const auto parsed = testing::parse(testing::with_node(R"(models:
  face:
    path: ../models/face.onnx
    sha256: )" + kHash + R"(
    dims: {N: 1, input.0: 128}
    variants:
      w8a16: ../models/face.w8a16.onnx
      small: {path: small.onnx, sha256: )" + kHash + R"(, snr_db: 21.5}
  text: {path: text.onnx}
)"));
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed.spec.models.size(), 2u);
  const ModelSpec& face = parsed.spec.models[0];
  EXPECT_EQ(face.name, "face");
  EXPECT_EQ(face.mark.line, 4);
  EXPECT_EQ(face.path, "../models/face.onnx");
  EXPECT_EQ(face.path_mark.line, 5);
  EXPECT_EQ(face.path_mark.column, 11);
  EXPECT_EQ(face.sha256, std::string(64, 'a'));
  EXPECT_EQ(face.sha256_mark.line, 6);
  EXPECT_THAT(face.dims, ElementsAre(Pair("N", 1), Pair("input.0", 128)));
  ASSERT_EQ(face.variants.size(), 2u);
  EXPECT_EQ(face.variants[0].name, "w8a16");
  EXPECT_EQ(face.variants[0].path, "../models/face.w8a16.onnx");
  EXPECT_EQ(face.variants[0].path_mark.line, 9);
  EXPECT_FALSE(face.variants[0].sha256 || face.variants[0].snr_db);
  EXPECT_EQ(face.variants[1].path, "small.onnx");
  EXPECT_EQ(face.variants[1].sha256, std::string(64, 'a'));
  EXPECT_EQ(face.variants[1].snr_db, 21.5);
  EXPECT_EQ(parsed.spec.models[1].name, "text");
}

TEST(Models, Wrong) {
  EXPECT_THAT(issues_of("face.onnx"),
              ElementsAre("4:9: model 'face' is the text 'face.onnx', must be a map with 'path'"));
  EXPECT_THAT(issues_of("{paht: x}"),
              ElementsAre("4:9: model 'face': key 'path' is missing; write where the ONNX file lies",
                          "4:10: model 'face': unknown key 'paht', allowed: path, sha256, dims, variants; "
                          "did you mean 'path'?"));
  EXPECT_THAT(issues_of("{path: 3}"),
              ElementsAre("4:16: model 'face': 'path' is 3, must be a text; put it in quotes"));
  EXPECT_THAT(
      issues_of("{path: x, sha256: 12ab}"),
      ElementsAre(
          "4:27: model 'face': 'sha256' is the text '12ab', must be a text of 64 hexadecimal digits"));
  EXPECT_THAT(
      issues_of("{path: x, dims: {N: 0, M: big}}"),
      ElementsAre(
          "4:29: model 'face': dims: 'N' is 0, must be a whole number from 1 to 1073741824",
          "4:35: model 'face': dims: 'M' is the text 'big', must be a whole number from 1 to 1073741824"));
  EXPECT_THAT(issues_of("{path: x, variants: [a]}"),
              ElementsAre("4:29: model 'face': 'variants' is a list, must be a map"));
}

TEST(Models, WrongVariants) {
  EXPECT_THAT(
      issues_of("{path: x, variants: {a: 3, b: {snr: 2}, c: {path: y, snr_db: high}}}"),
      ElementsAre("4:33: model 'face': variant 'a' is 3, must be a path or a map with 'path'",
                  "4:39: model 'face': variant 'b': key 'path' is missing; write where the ONNX file lies",
                  "4:40: model 'face': variant 'b': unknown key 'snr', allowed: path, sha256, snr_db",
                  "4:70: model 'face': variant 'c': 'snr_db' is the text 'high', must be a number"));
}

}  // namespace
}  // namespace sluice
