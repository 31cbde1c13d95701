#include "tools/sluice/comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

namespace sluice::cli {
namespace {

using ::testing::HasSubstr;

ComparedTensor tensor(const std::string& name, const std::string& type, float error) {
  ComparedTensor out{name, type, {}};
  const std::array reference = {1.0f, -1.0f}, value = {1.0f + error, -1.0f};
  out.meter.add(reference, value);
  return out;
}

Comparison comparison(std::vector<ComparedTensor> layers, float output_error) {
  Comparison out;
  out.with_layers = true;
  out.outputs = {tensor("y", "", output_error)};
  out.layers = std::move(layers);
  return out;
}

TEST(Comparison, TheFirstLayerThatGoesWrongIsNamed) {
  const Comparison found =
      comparison({tensor("a", "Conv", 0.01f), tensor("b", "Log", 5), tensor("c", "Relu", 5)}, 5);
  EXPECT_THAT(comparison_text(found, kRightSnr), HasSubstr("goes wrong (below 10 dB): b (Log), "));
  EXPECT_EQ(nlohmann::json::parse(comparison_json(found, kRightSnr))["first_wrong_layer"], "b");
}

TEST(Comparison, AnOutputIsALayerToo) {
  const Comparison found = comparison({tensor("a", "Conv", 0.01f)}, 5);
  EXPECT_THAT(comparison_text(found, kRightSnr), HasSubstr("goes wrong (below 10 dB): y (output), "));
  EXPECT_EQ(nlohmann::json::parse(comparison_json(found, kRightSnr))["first_wrong_layer"], "y");
}

TEST(Comparison, WithoutACommonLayerItSaysSo) {
  const Comparison found = comparison({}, 0);
  EXPECT_THAT(comparison_text(found, kRightSnr), HasSubstr("no layer but the outputs is in both models\n"));
  EXPECT_EQ(nlohmann::json::parse(comparison_json(found, kRightSnr))["layers"], nlohmann::json::array());
}

}  // namespace
}  // namespace sluice::cli
