#include "nodes/decoders/ssd.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/nodes/post/decoder_testing.h"

namespace sluice {
namespace {

using testing::decode;
using ::testing::HasSubstr;
using testing::Outputs;
using testing::plain_geometry;
using testing::quantise;
using testing::quantised;
using testing::tensor_type;

const Geometry kInput = plain_geometry(200, 100);  // wider than high, so that swapped corners show

Candidates run(const Outputs& outputs, BoxOrder order = BoxOrder::kAuto, std::size_t labels = 0) {
  auto decoder = make_ssd(outputs.types, {.order = order, .label_count = labels});
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  return decode(**decoder, outputs, 0.5F);
}

void expect_box(const Candidate& box, float x0, float y0, float x1, float y1) {
  EXPECT_FLOAT_EQ(box.x0, x0);
  EXPECT_FLOAT_EQ(box.y0, y0);
  EXPECT_FLOAT_EQ(box.x1, x1);
  EXPECT_FLOAT_EQ(box.y1, y1);
}

TEST(Ssd, OneScorePerBoxIsTensorFlowsOrder) {
  Outputs outputs;
  outputs.add(tensor_type("scores", {1, 2}), std::vector<float>{0.2F, 0.9F}, kInput);
  outputs.add(tensor_type("boxes", {1, 2, 4}), std::vector<float>{0, 0, 1, 1, 0.1F, 0.2F, 0.5F, 0.4F},
              kInput);
  const Candidates found = run(outputs);
  ASSERT_EQ(found.boxes.size(), 1U);
  expect_box(found.boxes[0], 40, 10, 80, 50);
  EXPECT_FLOAT_EQ(found.boxes[0].score, 0.9F);
  EXPECT_EQ(found.boxes[0].label, 0);
  expect_box(run(outputs, BoxOrder::kXyxy).boxes.at(0), 20, 20, 100, 40);
  EXPECT_TRUE((*make_ssd(outputs.types, {}))->needs_suppression());
}

TEST(Ssd, AColumnPerClassSkipsTheBackground) {
  Outputs outputs;
  outputs.add(tensor_type("boxes", {1, 2, 4}), std::vector<float>{0.1F, 0.2F, 0.5F, 0.4F, 0, 0, 1, 1},
              kInput);
  outputs.add(tensor_type("scores", {1, 2, 3}), std::vector<float>{0.1F, 0.6F, 0.7F, 0.9F, 0.1F, 0}, kInput);
  const Candidates found = run(outputs);
  ASSERT_EQ(found.boxes.size(), 2U);
  expect_box(found.boxes[0], 20, 20, 100, 40);
  EXPECT_EQ(found.boxes[0].label, 0);
  EXPECT_EQ(found.boxes[1].label, 1);
  EXPECT_EQ(run(outputs, BoxOrder::kAuto, 2).boxes.at(0).label, 0);
  EXPECT_EQ(run(outputs, BoxOrder::kAuto, 3).boxes.at(0).label, 1) << "the names count the background";
  EXPECT_EQ(
      make_ssd(outputs.types, {.label_count = 9}).status().message(),
      "option 'labels' has 9 names, but the model's scores have 3 columns: 2 classes and the background");
}

Outputs post_processed(float count) {
  Outputs outputs;
  outputs.add(tensor_type("TFLite_Detection_PostProcess", {1, 3, 4}),
              std::vector<float>{0.1F, 0.2F, 0.5F, 0.4F, 0, 0, 1, 1, 0, 0, 1, 1}, kInput);
  outputs.add(tensor_type("TFLite_Detection_PostProcess:1", {1, 3}), std::vector<float>{7, 3, 2}, kInput);
  outputs.add(tensor_type("TFLite_Detection_PostProcess:2", {1, 3}), std::vector<float>{0.9F, 0.8F, 0.7F},
              kInput);
  outputs.add(tensor_type("TFLite_Detection_PostProcess:3", {1}), std::vector<float>{count}, kInput);
  return outputs;
}

TEST(Ssd, PostProcessedOutputsCountTheirBoxes) {
  const Candidates found = run(post_processed(2));
  ASSERT_EQ(found.boxes.size(), 2U);
  expect_box(found.boxes[0], 40, 10, 80, 50);
  EXPECT_EQ(found.boxes[0].label, 7);
  EXPECT_EQ(found.boxes[1].label, 3);
  EXPECT_FALSE((*make_ssd(post_processed(2).types, {}))->needs_suppression());
}

TEST(Ssd, ACountOutOfRangeIsHarmless) {
  EXPECT_EQ(run(post_processed(-5)).boxes.size(), 0U);
  EXPECT_EQ(run(post_processed(1e9F)).boxes.size(), 3U);
  EXPECT_EQ(run(post_processed(std::nanf(""))).boxes.size(), 0U);
}

TEST(Ssd, NamesTellClassesFromScores) {
  Outputs outputs;
  outputs.add(tensor_type("num_detections:0", {1}), std::vector<float>{1}, kInput);
  outputs.add(tensor_type("detection_scores:0", {1, 2}), std::vector<float>{0.9F, 0.8F}, kInput);
  outputs.add(tensor_type("detection_classes:0", {1, 2}), std::vector<float>{5, 6}, kInput);
  outputs.add(tensor_type("detection_boxes:0", {1, 2, 4}), std::vector<float>(8, 0.5F), kInput);
  outputs.packets.pop_back();
  outputs.types.pop_back();
  outputs.add(tensor_type("detection_boxes:0", {1, 2, 4}), std::vector<float>{0, 0, 1, 1, 0, 0, 1, 1},
              kInput);
  const Candidates found = run(outputs);
  ASSERT_EQ(found.boxes.size(), 1U);
  EXPECT_EQ(found.boxes[0].label, 5);
  EXPECT_FLOAT_EQ(found.boxes[0].score, 0.9F);
}

TEST(Ssd, IntegerClassesComeFromPyTorch) {
  Outputs outputs;
  outputs.add(tensor_type("a", {1, 1, 4}), std::vector<float>{0.1F, 0.2F, 0.5F, 0.4F}, kInput);
  outputs.add(tensor_type("b", {1, 1}), std::vector<float>{0.9F}, kInput);
  outputs.add(tensor_type("c", {1, 1}, DType::kInt64), std::vector<std::int64_t>{12}, kInput);
  const Candidates found = run(outputs);
  ASSERT_EQ(found.boxes.size(), 1U);
  expect_box(found.boxes[0], 20, 20, 100, 40);
  EXPECT_EQ(found.boxes[0].label, 12);
}

TEST(Ssd, QuantisedScoresAreComparedAsTheyAre) {
  Outputs outputs;
  outputs.add(tensor_type("boxes", {1, 3, 4}), std::vector<float>{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1},
              kInput);
  outputs.add(quantised(tensor_type("scores", {1, 3}), DType::kUint8, 1.0F / 256, 0),
              std::vector<std::uint8_t>{127, 128, 255}, kInput);
  const Candidates found = run(outputs);
  ASSERT_EQ(found.boxes.size(), 2U);
  EXPECT_FLOAT_EQ(found.boxes[0].score, 0.5F);
  EXPECT_FLOAT_EQ(found.boxes[1].score, 255.0F / 256);
}

TEST(Ssd, LeavesOutWhatIsNotFiniteAndFailsOnLogits) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  Outputs outputs;
  outputs.add(tensor_type("boxes", {1, 4, 4}),
              std::vector<float>{0, 0, nan, 1, 0, 0, inf, 1, 1, 1, 0, 0, 0, 0, 1, 1}, kInput);
  outputs.add(tensor_type("scores", {1, 4}), std::vector<float>{0.9F, 0.9F, 0.9F, inf}, kInput);
  EXPECT_EQ(run(outputs).boxes.size(), 0U);
  Outputs logits;
  logits.add(tensor_type("boxes", {1, 1, 4}), std::vector<float>{0, 0, 1, 1}, kInput);
  logits.add(tensor_type("scores", {1, 1}), std::vector<float>{3}, kInput);
  Candidates candidates;
  const Status status = (*make_ssd(logits.types, {}))->decode(logits.tensors(), 0.5F, candidates);
  EXPECT_THAT(status.message(), HasSubstr("a score of 3, scores are 0..1"));
}

// torchvision's: corners in pixels of the model's input, classes as integers.
TEST(Ssd, BoxesInPixelsAreReadOrRefusedNeverLost) {
  Outputs outputs;
  outputs.add(tensor_type("boxes", {1, 2, 4}), std::vector<float>{20, 20, 100, 40, -3, 1, 2, 4}, kInput);
  outputs.add(tensor_type("scores", {1, 2}), std::vector<float>{0.9F, 0.8F}, kInput);
  outputs.add(tensor_type("labels", {1, 2}, DType::kInt64), std::vector<std::int64_t>{12, 3}, kInput);
  Candidates candidates;
  EXPECT_EQ((*make_ssd(outputs.types, {}))->decode(outputs.tensors(), 0.5F, candidates).message(),
            "decoder 'ssd' found a box that reaches to 20 times the picture: these are pixels; write option "
            "box_unit: pixels");
  auto decoder = make_ssd(outputs.types, {.unit = BoxUnit::kPixels});
  const Candidates found = decode(**decoder, outputs, 0.5F);
  ASSERT_EQ(found.boxes.size(), 2U);
  expect_box(found.boxes[0], 20, 20, 100, 40);
  EXPECT_EQ(found.boxes[0].label, 12);
  expect_box(found.boxes[1], -3, 1, 2, 4);
}

TEST(Ssd, RefusesOtherShapes) {
  const std::vector<std::vector<TensorType>> wrong = {
      {},
      {tensor_type("boxes", {1, 10, 4})},
      {tensor_type("boxes", {1, 10, 4}), tensor_type("scores", {1, 9})},
      {tensor_type("boxes", {1, 10, 5}), tensor_type("scores", {1, 10})},
      {tensor_type("boxes", {1, 10, 4}), tensor_type("n", {1}), tensor_type("scores", {1, 10})},
      {tensor_type("boxes", {1, 10, 4}), tensor_type("a", {1, 10, 2}), tensor_type("b", {1, 10, 2})},
      {tensor_type("boxes", {1, 10, 4}), tensor_type("a", {1, -1})},
  };
  for (const auto& types : wrong) {
    const auto decoder = make_ssd(types, {});
    ASSERT_FALSE(decoder.ok()) << shapes_text(types);
    EXPECT_THAT(decoder.status().message(), HasSubstr("it takes boxes [1,n,4] with scores [1,n]"));
  }
}

}  // namespace
}  // namespace sluice
