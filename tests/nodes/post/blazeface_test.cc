#include "nodes/decoders/blazeface.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
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

constexpr std::size_t kFine = 512, kCoarse = 384, kValues = 16;

// What the network of input size `size` says: raw scores and boxes of all 896 anchors.
struct Network {
  int size = 128;
  std::vector<float> scores = std::vector<float>(kFine + kCoarse, -50.0F);
  std::vector<float> boxes = std::vector<float>((kFine + kCoarse) * kValues, 0.0F);

  void set(std::size_t anchor, float score, std::array<float, kValues> values) {
    scores[anchor] = score;
    std::copy(values.begin(), values.end(), boxes.begin() + static_cast<std::ptrdiff_t>(anchor * kValues));
  }
};

template <typename T>
std::vector<T> part(const std::vector<T>& all, std::size_t first, std::size_t count) {
  const auto at = all.begin() + static_cast<std::ptrdiff_t>(first);
  return {at, at + static_cast<std::ptrdiff_t>(count)};
}

Outputs apart(const Network& n) {
  const Geometry g = plain_geometry(n.size, n.size);
  Outputs out;
  out.add(tensor_type("Identity:0", {1, 512, 1}), part(n.scores, 0, kFine), g);
  out.add(tensor_type("Identity_1:0", {1, 384, 1}), part(n.scores, kFine, kCoarse), g);
  out.add(tensor_type("Identity_2:0", {1, 512, 16}), part(n.boxes, 0, kFine * kValues), g);
  out.add(tensor_type("Identity_3:0", {1, 384, 16}), part(n.boxes, kFine * kValues, kCoarse * kValues), g);
  return out;
}

Outputs joined(const Network& n) {
  const Geometry g = plain_geometry(n.size, n.size);
  Outputs out;
  out.add(tensor_type("regressors", {1, 896, 16}), n.boxes, g);
  out.add(tensor_type("classificators", {1, 896, 1}), n.scores, g);
  return out;
}

Candidates run(const Outputs& outputs, float min_score = 0.5F) {
  auto decoder = make_blazeface(outputs.types);
  EXPECT_TRUE(decoder.ok()) << decoder.status().message();
  return decode(**decoder, outputs, min_score);
}

// Anchor 37 of the fine grid is the second of cell 18: column 2, row 1, centre (20, 12) in 8-pixel cells.
TEST(BlazeFace, PlacesABoxAroundItsAnchor) {
  Network network;
  network.set(37, 0.0F, {1, -2, 30, 40, 5, 6, -7, -8, 0, 0, 1, 1, 2, 2, 3, 3});
  const Candidates found = run(apart(network));
  ASSERT_EQ(found.boxes.size(), 1U);
  const Candidate& box = found.boxes[0];
  EXPECT_FLOAT_EQ(box.x0, 20 + 1 - 15);
  EXPECT_FLOAT_EQ(box.y0, 12 - 2 - 20);
  EXPECT_FLOAT_EQ(box.x1, 20 + 1 + 15);
  EXPECT_FLOAT_EQ(box.y1, 12 - 2 + 20);
  EXPECT_FLOAT_EQ(box.score, 0.5F);
  ASSERT_EQ(found.points.size(), 6U);
  EXPECT_FLOAT_EQ(found.points[0].x, 25);
  EXPECT_FLOAT_EQ(found.points[0].y, 18);
  EXPECT_FLOAT_EQ(found.points[1].x, 13);
  EXPECT_FLOAT_EQ(found.points[5].y, 15);
}

// Anchor 512 + 6 * 9 + 5 is the last of coarse cell 9: column 1, row 1; of the back model the cells have 32
// pixels.
TEST(BlazeFace, KnowsTheCoarseGridOfTheBackModel) {
  Network network;
  network.size = 256;
  network.set(kFine + 59, 2.0F, {0, 0, 64, 64});
  const Candidates found = run(apart(network));
  ASSERT_EQ(found.boxes.size(), 1U);
  EXPECT_FLOAT_EQ(found.boxes[0].x0, 48 - 32);
  EXPECT_FLOAT_EQ(found.boxes[0].y1, 48 + 32);
  EXPECT_FLOAT_EQ(found.boxes[0].score, 1 / (1 + std::exp(-2.0F)));
}

TEST(BlazeFace, ClipsRawScoresLikeMediaPipe) {
  Network network;
  network.set(0, 1000.0F, {0, 0, 8, 8});
  network.set(1, -1000.0F, {0, 0, 8, 8});
  const Candidates found = run(apart(network), 1.0F);
  ASSERT_EQ(found.boxes.size(), 1U) << "sigmoid(100) is 1 in float";
  EXPECT_FLOAT_EQ(found.boxes[0].score, 1.0F);
}

TEST(BlazeFace, KeepsAScoreOfExactlyTheLeast) {
  Network network;
  network.set(3, 0.0F, {0, 0, 8, 8});
  network.set(4, -1e-3F, {0, 0, 8, 8});
  EXPECT_EQ(run(apart(network), 0.5F).boxes.size(), 1U);
  EXPECT_EQ(run(apart(network), 0.0F).boxes.size(), 2U) << "all others have no area";
}

TEST(BlazeFace, LeavesOutWhatIsNotFiniteOrHasNoArea) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  Network network;
  network.set(0, nan, {0, 0, 8, 8});
  network.set(1, inf, {0, 0, 8, 8});
  network.set(2, 1, {0, nan, 8, 8});
  network.set(3, 1, {0, 0, 8, 8, inf});
  network.set(4, 1, {0, 0, -8, 8});
  network.set(5, 1, {0, 0, 8, 0});
  network.set(6, 1, {0, 0, 8, 8});
  const Candidates found = run(apart(network));
  ASSERT_EQ(found.boxes.size(), 1U);
  EXPECT_EQ(found.boxes[0].order, 6U);
}

TEST(BlazeFace, ReadsTheOutputsInAnyOrderAndJoined) {
  Network network;
  network.set(100, 1, {1, 2, 10, 11, 4, 5});
  network.set(700, 2, {3, 4, 20, 21, 6, 7});
  const Candidates expected = run(apart(network));
  ASSERT_EQ(expected.boxes.size(), 2U);
  std::vector<std::size_t> order = {0, 1, 2, 3};
  do {
    const Outputs from = apart(network);
    Outputs to;
    for (const std::size_t i : order) {
      to.types.push_back(from.types[i]);
      to.packets.push_back(from.packets[i]);
    }
    const Candidates found = run(to);
    ASSERT_EQ(found.boxes.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(found.boxes[i].x0, expected.boxes[i].x0);
  } while (std::next_permutation(order.begin(), order.end()));
  const Candidates found = run(joined(network));
  ASSERT_EQ(found.boxes.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(found.boxes[i].y1, expected.boxes[i].y1);
}

TEST(BlazeFace, TakesABatchDimensionThatIsSymbolic) {
  const std::vector<TensorType> types = {tensor_type("s", {-1, 896, 1}), tensor_type("b", {-1, 896, 16})};
  EXPECT_TRUE(make_blazeface(types).ok());
}

TEST(BlazeFace, RefusesOtherShapesAndSaysWhichItTakes) {
  const std::vector<std::vector<TensorType>> wrong = {
      {},
      {tensor_type("a", {1, 84, 8400})},
      {tensor_type("a", {1, 896, 1})},
      {tensor_type("a", {1, 896, 1}), tensor_type("b", {1, 895, 16})},
      {tensor_type("a", {1, 900, 1}), tensor_type("b", {1, 900, 16})},
      {tensor_type("a", {1, 512, 1}), tensor_type("b", {1, 512, 16}), tensor_type("c", {1, 300, 1}),
       tensor_type("d", {1, 300, 16})},
      {tensor_type("a", {1, 512, 1}), tensor_type("b", {1, 512, 16}), tensor_type("c", {1, 384, 1}),
       tensor_type("d", {1, 384, 18})},
      {tensor_type("a", {1, 896, 1}, DType::kFloat64), tensor_type("b", {1, 896, 16})},
      {tensor_type("a", {2, 896, 1}), tensor_type("b", {2, 896, 16})},
  };
  for (const auto& types : wrong) {
    const auto decoder = make_blazeface(types);
    ASSERT_FALSE(decoder.ok()) << shapes_text(types);
    EXPECT_EQ(decoder.status().code(), Code::kInvalid);
    EXPECT_THAT(decoder.status().message(), HasSubstr("1x512x1 and 1x384x1"));
  }
  EXPECT_THAT(make_blazeface(wrong[1]).status().message(), HasSubstr("1x84x8400 ('a')"));
}

// Written from MediaPipe's graph: SsdAnchorsCalculator's loop, then TensorsToDetectionsCalculator's, in
// double.
std::vector<std::array<double, 6>> slow_decode(const Network& n, double min_score) {
  std::vector<std::array<double, 2>> anchors;
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 16; ++x)
      for (int k = 0; k < 2; ++k) anchors.push_back({(x + 0.5) / 16, (y + 0.5) / 16});
  for (int y = 0; y < 8; ++y)
    for (int x = 0; x < 8; ++x)
      for (int k = 0; k < 6; ++k) anchors.push_back({(x + 0.5) / 8, (y + 0.5) / 8});
  std::vector<std::array<double, 6>> out;
  for (std::size_t i = 0; i < anchors.size(); ++i) {
    const double score = 1 / (1 + std::exp(-std::clamp(static_cast<double>(n.scores[i]), -100.0, 100.0)));
    if (score < min_score) continue;
    const float* raw = &n.boxes[i * kValues];
    const double x = raw[0] / n.size + anchors[i][0], y = raw[1] / n.size + anchors[i][1];
    const double w = raw[2] / n.size, h = raw[3] / n.size;
    if (w <= 0 || h <= 0) continue;
    out.push_back({(x - w / 2) * n.size, (y - h / 2) * n.size, (x + w / 2) * n.size, (y + h / 2) * n.size,
                   score, (raw[14] / n.size + anchors[i][0]) * n.size});
  }
  return out;
}

Network random_network(unsigned seed, int size) {
  std::mt19937 random(seed);
  std::normal_distribution<float> score(-4, 3), offset(0, 5), extent(20, 15);
  Network n;
  n.size = size;
  for (float& s : n.scores) s = score(random);
  for (std::size_t i = 0; i < n.boxes.size(); ++i)
    n.boxes[i] = i % kValues == 2 || i % kValues == 3 ? extent(random) : offset(random);
  return n;
}

TEST(BlazeFace, EqualsTheSlowDecoderOnRandomOutputs) {
  for (unsigned seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Network network = random_network(seed, seed % 2 ? 128 : 256);
    const auto expected = slow_decode(network, 0.6);
    for (const Outputs& outputs : {apart(network), joined(network)}) {
      const Candidates found = run(outputs, 0.6F);
      ASSERT_EQ(found.boxes.size(), expected.size());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const Candidate& box = found.boxes[i];
        EXPECT_NEAR(box.x0, expected[i][0], 1e-3);
        EXPECT_NEAR(box.y0, expected[i][1], 1e-3);
        EXPECT_NEAR(box.x1, expected[i][2], 1e-3);
        EXPECT_NEAR(box.y1, expected[i][3], 1e-3);
        EXPECT_NEAR(box.score, expected[i][4], 1e-6);
        EXPECT_NEAR(found.points[box.points + 5].x, expected[i][5], 1e-3);
      }
    }
  }
}

// Quantised outputs are read as they are: each coordinate within one step of the float's.
TEST(BlazeFace, QuantisedOutputsEqualFloatWithinOneStep) {
  const float score_step = 0.25F, box_step = 0.5F;
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Network network = random_network(seed, 128);
    for (float& s : network.scores) s = std::clamp(std::round(s / score_step) * score_step, -30.0F, 30.0F);
    const Geometry g = plain_geometry(128, 128);
    Outputs outputs;
    outputs.add(quantised(tensor_type("s", {1, 896, 1}), DType::kUint8, score_step, 128),
                quantise<std::uint8_t>(network.scores, score_step, 128), g);
    outputs.add(quantised(tensor_type("b", {1, 896, 16}), DType::kInt16, box_step, -3),
                quantise<std::int16_t>(network.boxes, box_step, -3), g);
    const Candidates expected = run(joined(network), 0.6F), found = run(outputs, 0.6F);
    std::size_t matched = 0;
    for (const Candidate& box : found.boxes) {
      const auto same = std::find_if(expected.boxes.begin(), expected.boxes.end(),
                                     [&](const Candidate& c) { return c.order == box.order; });
      if (same == expected.boxes.end()) continue;  // an extent that rounded to above 0
      ++matched;
      EXPECT_EQ(box.score, same->score);
      EXPECT_NEAR(box.x0, same->x0, box_step);
      EXPECT_NEAR(box.y1, same->y1, box_step);
    }
    EXPECT_GE(matched + 10, expected.boxes.size());
    EXPECT_GT(matched, 0U);
  }
}

}  // namespace
}  // namespace sluice
