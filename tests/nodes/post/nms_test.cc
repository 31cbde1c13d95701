#include "nodes/decoders/nms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>

namespace sluice {
namespace {

Candidate box(float x0, float y0, float x1, float y1, float score, int label = 0) {
  Candidate c;
  c.x0 = x0, c.y0 = y0, c.x1 = x1, c.y1 = y1;
  c.score = score;
  c.label = label;
  return c;
}

Candidates list(std::vector<Candidate> boxes) {
  Candidates candidates;
  candidates.boxes = std::move(boxes);
  for (std::size_t i = 0; i < candidates.boxes.size(); ++i) {
    candidates.boxes[i].order = static_cast<std::uint32_t>(i);
  }
  return candidates;
}

TEST(Overlap, IsIntersectionOverUnion) {
  EXPECT_FLOAT_EQ(overlap(box(0, 0, 10, 10, 1), box(0, 0, 10, 10, 1)), 1.0F);
  EXPECT_FLOAT_EQ(overlap(box(0, 0, 10, 10, 1), box(5, 0, 15, 10, 1)), 50.0F / 150.0F);
  EXPECT_FLOAT_EQ(overlap(box(0, 0, 10, 10, 1), box(10, 0, 20, 10, 1)), 0.0F);
  EXPECT_FLOAT_EQ(overlap(box(0, 0, 0, 0, 1), box(0, 0, 0, 0, 1)), 0.0F);
}

TEST(HardSuppression, KeepsTheBestOfEachObject) {
  Candidates c = list({box(1, 0, 11, 10, 0.8F), box(0, 0, 10, 10, 0.9F), box(50, 50, 60, 60, 0.7F)});
  Suppression().hard(c, 0.3F, 10);
  ASSERT_EQ(c.boxes.size(), 2U);
  EXPECT_EQ(c.boxes[0].score, 0.9F);
  EXPECT_EQ(c.boxes[0].x0, 0);
  EXPECT_EQ(c.boxes[1].score, 0.7F);
}

TEST(HardSuppression, LeavesOtherLabelsAlone) {
  Candidates c = list({box(0, 0, 10, 10, 0.9F, 1), box(0, 0, 10, 10, 0.8F, 2)});
  Suppression().hard(c, 0.3F, 10);
  EXPECT_EQ(c.boxes.size(), 2U);
}

TEST(HardSuppression, ComparesOnlyWithBoxesThatAreKept) {
  // The second falls to the first; the third overlaps the second only, so it stays.
  Candidates c = list({box(0, 0, 10, 10, 0.9F), box(4, 0, 14, 10, 0.8F), box(8, 0, 18, 10, 0.7F)});
  Suppression().hard(c, 0.3F, 10);
  ASSERT_EQ(c.boxes.size(), 2U);
  EXPECT_EQ(c.boxes[1].score, 0.7F);
}

TEST(HardSuppression, AnOverlapOfExactlyTheLimitStays) {
  Candidates c = list({box(0, 0, 10, 10, 0.9F), box(5, 0, 15, 10, 0.8F)});
  Suppression().hard(c, 50.0F / 150.0F, 10);
  EXPECT_EQ(c.boxes.size(), 2U);
}

TEST(Suppression, StopsAtTheMost) {
  for (const bool weighted : {false, true}) {
    Candidates c = list({box(0, 0, 1, 1, 0.5F), box(2, 0, 3, 1, 0.9F), box(4, 0, 5, 1, 0.7F)});
    Suppression suppression;
    weighted ? suppression.weighted(c, 0.3F, 2) : suppression.hard(c, 0.3F, 2);
    ASSERT_EQ(c.boxes.size(), 2U);
    EXPECT_EQ(c.boxes[0].score, 0.9F);
    EXPECT_EQ(c.boxes[1].score, 0.7F);
  }
}

TEST(Suppression, EqualScoresGoByTheModelsOrder) {
  for (const bool weighted : {false, true}) {
    Candidates c = list({box(0, 0, 1, 1, 0.5F), box(2, 0, 3, 1, 0.5F), box(4, 0, 5, 1, 0.5F)});
    std::swap(c.boxes[0], c.boxes[2]);
    Suppression suppression;
    weighted ? suppression.weighted(c, 0.3F, 9) : suppression.hard(c, 0.3F, 9);
    ASSERT_EQ(c.boxes.size(), 3U);
    EXPECT_EQ(c.boxes[0].x0, 0);
    EXPECT_EQ(c.boxes[1].x0, 2);
    EXPECT_EQ(c.boxes[2].x0, 4);
  }
}

TEST(Suppression, NothingOfNothing) {
  Candidates c;
  Suppression().weighted(c, 0.3F, 10);
  Suppression().hard(c, 0.3F, 10);
  EXPECT_TRUE(c.boxes.empty());
}

// By hand: weights 0.8 and 0.4, so the mean is (2 a + b) / 3.
TEST(WeightedSuppression, AveragesByScore) {
  Candidates c = list({box(0, 0, 9, 9, 0.8F), box(3, 0, 12, 9, 0.4F)});
  c.points_per_box = 1;
  c.points = {{3, 3}, {6, 9}};
  c.boxes[1].points = 1;
  Suppression().weighted(c, 0.3F, 10);
  ASSERT_EQ(c.boxes.size(), 1U);
  EXPECT_FLOAT_EQ(c.boxes[0].x0, 1);
  EXPECT_FLOAT_EQ(c.boxes[0].y0, 0);
  EXPECT_FLOAT_EQ(c.boxes[0].x1, 10);
  EXPECT_FLOAT_EQ(c.boxes[0].y1, 9);
  EXPECT_FLOAT_EQ(c.boxes[0].score, 0.8F) << "the best score, not the mean";
  ASSERT_EQ(c.points.size(), 1U);
  EXPECT_FLOAT_EQ(c.points[c.boxes[0].points].x, 4);
  EXPECT_FLOAT_EQ(c.points[c.boxes[0].points].y, 5);
}

TEST(WeightedSuppression, TakesOverlapsWithTheBestBoxNotWithTheMean) {
  // The third overlaps the second by far, but the first by too little: it is an object of its own.
  Candidates c = list({box(0, 0, 10, 10, 0.9F), box(4, 0, 14, 10, 0.8F), box(8, 0, 18, 10, 0.7F)});
  Suppression().weighted(c, 0.3F, 10);
  ASSERT_EQ(c.boxes.size(), 2U);
  EXPECT_FLOAT_EQ(c.boxes[0].x0, 4 * 0.8F / 1.7F);
  EXPECT_FLOAT_EQ(c.boxes[1].x0, 8);
}

TEST(WeightedSuppression, ScoresOfZeroAndALimitOfOneChangeNothing) {
  Candidates zero = list({box(2, 3, 9, 9, 0), box(2, 3, 9, 9, 0)});
  Suppression().weighted(zero, 0.3F, 10);
  ASSERT_EQ(zero.boxes.size(), 1U);
  EXPECT_EQ(zero.boxes[0].x0, 2);
  Candidates same = list({box(2, 3, 9, 9, 0.5F), box(2, 3, 9, 9, 0.5F)});
  Suppression().weighted(same, 1.0F, 10);
  EXPECT_EQ(same.boxes.size(), 2U) << "no overlap is above 1";
}

// As MediaPipe's calculator is written: a fresh list of what remains after every box.
std::vector<Candidate> slow_weighted(std::vector<Candidate> left, float iou) {
  std::stable_sort(left.begin(), left.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  std::vector<Candidate> out;
  while (!left.empty()) {
    std::vector<Candidate> rest;
    double x0 = 0, y0 = 0, x1 = 0, y1 = 0, total = 0;
    const Candidate best = left.front();
    for (const Candidate& c : left) {
      if (overlap(best, c) <= iou) {
        rest.push_back(c);
        continue;
      }
      x0 += double{c.x0} * c.score, y0 += double{c.y0} * c.score;
      x1 += double{c.x1} * c.score, y1 += double{c.y1} * c.score;
      total += c.score;
    }
    out.push_back(box(static_cast<float>(x0 / total), static_cast<float>(y0 / total),
                      static_cast<float>(x1 / total), static_cast<float>(y1 / total), best.score));
    left = rest;
  }
  return out;
}

TEST(WeightedSuppression, EqualsTheSlowWayOnRandomBoxes) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> place(0, 80), size(5, 40), score(0.1F, 1);
    std::vector<Candidate> boxes;
    for (unsigned i = 0; i < seed % 60; ++i) {
      const float x = place(random), y = place(random);
      boxes.push_back(box(x, y, x + size(random), y + size(random), score(random)));
    }
    Candidates c = list(boxes);
    Suppression().weighted(c, 0.3F, 1000);
    const std::vector<Candidate> expected = slow_weighted(boxes, 0.3F);
    ASSERT_EQ(c.boxes.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(c.boxes[i].x0, expected[i].x0, 1e-3);
      EXPECT_NEAR(c.boxes[i].y0, expected[i].y0, 1e-3);
      EXPECT_NEAR(c.boxes[i].x1, expected[i].x1, 1e-3);
      EXPECT_NEAR(c.boxes[i].y1, expected[i].y1, 1e-3);
      EXPECT_EQ(c.boxes[i].score, expected[i].score);
    }
  }
}

TEST(HardSuppression, HoldsItsPromisesOnRandomBoxes) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    std::uniform_real_distribution<float> place(0, 80), size(5, 40), score(0.1F, 1);
    std::vector<Candidate> boxes;
    for (int i = 0; i < 60; ++i) {
      const float x = place(random), y = place(random);
      boxes.push_back(box(x, y, x + size(random), y + size(random), score(random), i % 3));
    }
    Candidates c = list(boxes);
    Suppression().hard(c, 0.4F, 1000);
    for (std::size_t i = 0; i < c.boxes.size(); ++i) {
      for (std::size_t k = 0; k < i; ++k) {
        EXPECT_GE(c.boxes[k].score, c.boxes[i].score);
        if (c.boxes[k].label != c.boxes[i].label) continue;
        EXPECT_LE(overlap(c.boxes[k], c.boxes[i]), 0.4F);
      }
    }
    for (const Candidate& lost : boxes) {
      const bool covered = std::any_of(c.boxes.begin(), c.boxes.end(), [&](const Candidate& kept) {
        return kept.label == lost.label && kept.score >= lost.score &&
               (overlap(kept, lost) > 0.4F || kept.x0 == lost.x0);
      });
      EXPECT_TRUE(covered);
    }
  }
}

}  // namespace
}  // namespace sluice
