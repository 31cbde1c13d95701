// Recall, precision and top-1 of what a pipeline found against what is marked.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/sluice/labels.h"

namespace sluice::cli {

struct FoundBox {
  double x = 0, y = 0, width = 0, height = 0;
  double score = 0;
  std::string label;  // empty: unnamed
};

// What the pipeline said of one picture; `answered` is false when nothing came out for it.
struct Answer {
  bool answered = false;
  std::vector<FoundBox> boxes;
  std::string label;  // the best class
};

struct Accuracy {
  std::int64_t pictures = 0;
  std::int64_t unanswered =
      0;                    // pictures that could not be read or were dropped: all they show counts as missed
  std::int64_t marked = 0;  // boxes that count
  std::int64_t found = 0;   // boxes of the pipeline that count
  std::int64_t matched = 0;
  std::int64_t right = 0;  // pictures whose best class is theirs
  bool classes = false;
  bool labels_compared = false;             // boxes had to have the same label
  std::optional<double> recall() const;     // matched / marked
  std::optional<double> precision() const;  // matched / found
  std::optional<double> top1() const;       // right / pictures
};

double intersection_over_union(const LabelledBox& a, const FoundBox& b);

// Within a picture the best score chooses first, and takes the free marked box that it overlaps most, by at
// least `iou`; labels must be equal when both sides have them. A box on an ignored mark counts neither way.
// Parallel vectors.
Accuracy measure(const LabelSet& labels, const std::vector<Answer>& answers, double iou);

}  // namespace sluice::cli
