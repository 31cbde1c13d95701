#include "tools/sluice/accuracy.h"

#include <gtest/gtest.h>

namespace sluice::cli {
namespace {

LabelSet boxes(std::vector<LabelledBox> marks) {
  LabelSet out;
  out.pictures = {{"a.jpg", std::move(marks), {}}};
  return out;
}

Accuracy measured(const LabelSet& labels, std::vector<FoundBox> found, double iou = 0.5) {
  return measure(labels, {{true, std::move(found), {}}}, iou);
}

TEST(Accuracy, Overlap) {
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 10, 10, {}, false}, {0, 0, 10, 10, 1, {}}), 1);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 10, 10, {}, false}, {5, 0, 10, 10, 1, {}}), 50.0 / 150);
  EXPECT_DOUBLE_EQ(intersection_over_union({0, 0, 10, 10, {}, false}, {10, 0, 10, 10, 1, {}}), 0);
}

TEST(Accuracy, EachMarkIsFoundOnce) {
  const Accuracy a =
      measured(boxes({{0, 0, 10, 10, {}, false}}), {{0, 0, 10, 10, 0.9, {}}, {1, 0, 10, 10, 0.8, {}}});
  EXPECT_EQ(a.matched, 1);
  EXPECT_EQ(a.found, 2);
  EXPECT_DOUBLE_EQ(*a.recall(), 1);
  EXPECT_DOUBLE_EQ(*a.precision(), 0.5);
}

TEST(Accuracy, TheBestScoreChoosesFirst) {
  // The better one takes the mark that both overlap; the other one still finds the second.
  const auto marks = boxes({{0, 0, 10, 10, {}, false}, {3, 0, 10, 10, {}, false}});
  EXPECT_EQ(measured(marks, {{2, 0, 10, 10, 0.5, {}}, {3, 0, 10, 10, 0.9, {}}}).matched, 2);
}

TEST(Accuracy, IgnoredMarksCountNeitherWay) {
  const Accuracy a = measured(boxes({{0, 0, 10, 10, {}, true}}), {{0, 0, 10, 10, 0.9, {}}});
  EXPECT_EQ(a.marked, 0);
  EXPECT_EQ(a.found, 0);
  EXPECT_FALSE(a.recall().has_value());
  EXPECT_FALSE(a.precision().has_value());
}

TEST(Accuracy, LabelsMustAgreeWhereBothAreKnown) {
  const auto cat = boxes({{0, 0, 10, 10, "cat", false}});
  EXPECT_EQ(measured(cat, {{0, 0, 10, 10, 0.9, "dog"}}).matched, 0);
  EXPECT_TRUE(measured(cat, {{0, 0, 10, 10, 0.9, "dog"}}).labels_compared);
  EXPECT_EQ(measured(cat, {{0, 0, 10, 10, 0.9, ""}}).matched, 1);
  EXPECT_FALSE(measured(cat, {{0, 0, 10, 10, 0.9, ""}}).labels_compared);
  EXPECT_TRUE(measured(cat, {{0, 0, 10, 10, 0.9, "cat"}}).labels_compared);
}

TEST(Accuracy, ThresholdIsInclusive) {
  const auto marks = boxes({{0, 0, 10, 10, {}, false}});
  EXPECT_EQ(measured(marks, {{0, 0, 10, 5, 0.9, {}}}, 0.5).matched, 1);
  EXPECT_EQ(measured(marks, {{0, 0, 10, 4.9, 0.9, {}}}, 0.5).matched, 0);
}

TEST(Accuracy, UnansweredPicturesMissAll) {
  const Accuracy a = measure(boxes({{0, 0, 10, 10, {}, false}}), {Answer{}}, 0.5);
  EXPECT_EQ(a.unanswered, 1);
  EXPECT_DOUBLE_EQ(*a.recall(), 0);
}

TEST(Accuracy, Classes) {
  LabelSet labels;
  labels.classes = true;
  labels.pictures = {{"a", {}, "cat"}, {"b", {}, "dog"}, {"c", {}, ""}};
  const Accuracy a = measure(labels, {{true, {}, "cat"}, {true, {}, "cat"}, {false, {}, ""}}, 0.5);
  EXPECT_EQ(a.right, 1);
  EXPECT_DOUBLE_EQ(*a.top1(), 1.0 / 3);
}

}  // namespace
}  // namespace sluice::cli
