#include "nodes/decoders/yolo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

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

constexpr int kSize = 64;  // 8 x 8 + 4 x 4 + 2 x 2 = 84 cells
constexpr std::size_t kCells = 84;

// A head's values by box and channel.
struct Head {
  std::size_t boxes, channels;
  std::vector<float> values = std::vector<float>(boxes * channels, 0.0F);
  float& at(std::size_t box, std::size_t channel) { return values[box * channels + channel]; }
  void set(std::size_t box, std::vector<float> row) {
    std::copy(row.begin(), row.end(), values.begin() + static_cast<std::ptrdiff_t>(box * channels));
  }
  std::vector<float> channel_major() const {
    std::vector<float> out;
    for (std::size_t c = 0; c < channels; ++c)
      for (std::size_t b = 0; b < boxes; ++b) out.push_back(values[b * channels + c]);
    return out;
  }
};

Outputs outputs_of(const Head& head, bool channel_major) {
  const auto n = static_cast<std::int64_t>(head.boxes), c = static_cast<std::int64_t>(head.channels);
  Outputs out;
  out.add(tensor_type("output0", channel_major ? Shape{1, c, n} : Shape{1, n, c}),
          channel_major ? head.channel_major() : head.values, plain_geometry(kSize, kSize));
  return out;
}

Candidates run(const Outputs& outputs, float min_score = 0.5F, std::size_t labels = 0) {
  auto decoder = make_yolo(outputs.types, labels);
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  return decode(**decoder, outputs, min_score);
}

TEST(Yolo, ReadsAHeadWithoutObjectnessBothWays) {
  Head head{kCells, 4 + 3};
  head.set(10, {20, 30, 8, 6, 0.1F, 0.9F, 0.6F});
  for (const bool channel_major : {false, true}) {
    const Candidates found = run(outputs_of(head, channel_major));
    ASSERT_EQ(found.boxes.size(), 1U);
    EXPECT_EQ(found.boxes[0].label, 1);
    EXPECT_FLOAT_EQ(found.boxes[0].score, 0.9F);
    EXPECT_FLOAT_EQ(found.boxes[0].x0, 16);
    EXPECT_FLOAT_EQ(found.boxes[0].y0, 27);
    EXPECT_FLOAT_EQ(found.boxes[0].x1, 24);
    EXPECT_FLOAT_EQ(found.boxes[0].y1, 33);
  }
}

TEST(Yolo, MultipliesByTheObjectness) {
  Head head{3 * kCells, 5 + 2};
  head.set(7, {20, 30, 8, 6, 0.8F, 0.1F, 0.75F});
  head.set(8, {20, 30, 8, 6, 0.8F, 0.1F, 0.5F});  // 0.4
  head.set(9, {20, 30, 8, 6, 0.4F, 0.1F, 1.0F});  // 0.4
  for (const bool channel_major : {false, true}) {
    const Candidates found = run(outputs_of(head, channel_major));
    ASSERT_EQ(found.boxes.size(), 1U);
    EXPECT_EQ(found.boxes[0].order, 7U);
    EXPECT_EQ(found.boxes[0].label, 1);
    EXPECT_FLOAT_EQ(found.boxes[0].score, 0.6F);
  }
}

TEST(Yolo, TheNumberOfNamesDecidesOverTheSizes) {
  Head head{kCells, 4 + 3};  // sizes say v8; two names say v5
  head.set(1, {20, 30, 8, 6, 0.9F, 0.2F, 0.8F});
  EXPECT_EQ(run(outputs_of(head, false), 0.5F, 3).boxes.at(0).label, 0);
  EXPECT_EQ(run(outputs_of(head, false), 0.5F, 2).boxes.at(0).label, 1);
  Head few{5, 4 + 8};  // fewer boxes than channels
  few.set(1, {20, 30, 8, 6, 0, 0, 0.9F});
  EXPECT_EQ(run(outputs_of(few, true), 0.5F, 8).boxes.at(0).label, 2);
  EXPECT_EQ(run(outputs_of(few, false), 0.5F, 8).boxes.at(0).label, 2);
}

TEST(Yolo, AnotherNumberOfBoxesIsReadByTheOrderOfTheDimensions) {
  Head head{50, 7};
  head.set(1, {20, 30, 8, 6, 0.9F, 0.2F, 0.8F});
  const Candidates v5 = run(outputs_of(head, false)), v8 = run(outputs_of(head, true));
  ASSERT_EQ(v5.boxes.size(), 1U);
  EXPECT_EQ(v5.boxes[0].label, 1);
  EXPECT_FLOAT_EQ(v5.boxes[0].score, 0.9F * 0.8F);
  ASSERT_EQ(v8.boxes.size(), 1U);
  EXPECT_EQ(v8.boxes[0].label, 0);
  EXPECT_FLOAT_EQ(v8.boxes[0].score, 0.9F);
}

TEST(Yolo, KnowsHeadsWithAFourthStride) {
  Head head{85, 4 + 2};  // 84 cells and one of stride 64
  head.set(84, {32, 32, 60, 60, 0.7F, 0});
  EXPECT_EQ(run(outputs_of(head, false)).boxes.size(), 1U);
}

TEST(Yolo, RefusesOtherShapes) {
  const std::vector<TensorType> two = {tensor_type("a", {1, 84, 8400}), tensor_type("b", {1, 32, 160, 160})};
  EXPECT_THAT(make_yolo(two, 0).status().message(), HasSubstr("it takes one output [1,n,c] or [1,c,n]"));
  const std::vector<TensorType> four = {tensor_type("a", {1, 8400, 4})};
  EXPECT_THAT(make_yolo(four, 0).status().message(), HasSubstr("at least 5 are needed"));
  const std::vector<TensorType> coco = {tensor_type("a", {1, 84, 8400})};
  EXPECT_EQ(make_yolo(coco, 3).status().message(),
            "option 'labels' has 3 names, but the model's output 1x84x8400 ('a') has 84 channels: 80 "
            "classes, or 79 "
            "with an objectness");
  const std::vector<TensorType> per_axis = {tensor_type("a", {1, 84, 8400}, DType::kInt8)};
  auto quant = per_axis;
  quant[0].quant = QuantParams{{1, 1}, {0, 0}, 1};
  EXPECT_FALSE(make_yolo(quant, 0).ok());
}

TEST(Yolo, LeavesOutWhatIsNotFiniteAndFailsOnLogits) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  Head head{kCells, 5};
  head.set(0, {nan, 0, 1, 1, 0.9F});
  head.set(1, {0, 0, inf, 1, 0.9F});
  head.set(2, {0, 0, 1, 1, nan});
  head.set(3, {0, 0, 1, 1, inf});
  head.set(4, {0, 0, 0, 1, 0.9F});
  head.set(5, {5, 5, 1, 1, 0.9F});
  const Candidates found = run(outputs_of(head, true));
  ASSERT_EQ(found.boxes.size(), 1U);
  EXPECT_EQ(found.boxes[0].order, 5U);
  head.at(6, 4) = 4.5F;
  head.at(6, 2) = head.at(6, 3) = 1;
  const Outputs outputs = outputs_of(head, true);
  Candidates candidates;
  const Status status = (*make_yolo(outputs.types, 0))->decode(outputs.tensors(), 0.5F, candidates);
  EXPECT_THAT(status.message(), HasSubstr("a score of 4.5, scores are 0..1"));
}

struct Slow {
  float score;
  int label;
};

std::map<std::size_t, Slow> slow_decode(Head head, bool objectness, float min_score) {
  std::map<std::size_t, Slow> out;
  const std::size_t first = objectness ? 5 : 4;
  for (std::size_t b = 0; b < head.boxes; ++b) {
    for (std::size_t c = first; c < head.channels; ++c) {
      const float score = head.at(b, c) * (objectness ? head.at(b, 4) : 1);
      if (score < min_score || (out.count(b) && out[b].score >= score)) continue;
      out[b] = {score, static_cast<int>(c - first)};
    }
  }
  return out;
}

Head random_head(unsigned seed, bool objectness) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> probability(0, 1), place(0, kSize), size(1, 20);
  Head head{objectness ? 3 * kCells : kCells, objectness ? 5U + 6U : 4U + 6U};
  for (std::size_t b = 0; b < head.boxes; ++b) {
    for (std::size_t c = 0; c < head.channels; ++c) {
      head.at(b, c) = c < 2 ? place(random) : c < 4 ? size(random) : probability(random);
    }
  }
  return head;
}

TEST(Yolo, EqualsTheSlowDecoderOnRandomOutputs) {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const bool objectness = seed % 2 == 0;
    const Head head = random_head(seed, objectness);
    const auto expected = slow_decode(head, objectness, 0.6F);
    for (const bool channel_major : {false, true}) {
      const Candidates found = run(outputs_of(head, channel_major), 0.6F);
      ASSERT_EQ(found.boxes.size(), expected.size());
      for (const Candidate& box : found.boxes) {
        ASSERT_TRUE(expected.count(box.order));
        EXPECT_FLOAT_EQ(box.score, expected.at(box.order).score);
        EXPECT_EQ(box.label, expected.at(box.order).label);
      }
    }
  }
}

TEST(Yolo, TwoFramesDoNotInfluenceEachOther) {
  const Head a = random_head(1, false), b = random_head(3, false);
  const Outputs first = outputs_of(a, true), second = outputs_of(b, true);
  auto decoder = make_yolo(first.types, 0);
  const std::size_t alone = decode(**decoder, second, 0.6F).boxes.size();
  decode(**decoder, first, 0.6F);
  EXPECT_EQ(decode(**decoder, second, 0.6F).boxes.size(), alone);
}

TEST(Yolo, QuantisedOutputsEqualFloatWithinOneStep) {
  const float step = 1.0F / 128;
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Head head = random_head(seed, false);
    for (float& v : head.values)
      v = std::round(v / step) * step;  // a value between two steps may fall either way
    Outputs outputs;
    outputs.add(quantised(tensor_type("o", {1, 10, 84}), DType::kUint16, step, 9),
                quantise<std::uint16_t>(head.channel_major(), step, 9), plain_geometry(kSize, kSize));
    const Candidates expected = run(outputs_of(head, true), 0.75F), found = run(outputs, 0.75F);
    ASSERT_EQ(found.boxes.size(), expected.boxes.size());
    for (std::size_t i = 0; i < found.boxes.size(); ++i) {
      EXPECT_NEAR(found.boxes[i].score, expected.boxes[i].score, step);
      EXPECT_NEAR(found.boxes[i].x0, expected.boxes[i].x0, step);
      EXPECT_EQ(found.boxes[i].label, expected.boxes[i].label);
    }
  }
}

}  // namespace
}  // namespace sluice
