#include "tools/sluice/accuracy.h"

#include <algorithm>

namespace sluice::cli {
namespace {

std::optional<double> ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

bool may_match(const LabelledBox& mark, const FoundBox& box) {
  return mark.label.empty() || box.label.empty() || mark.label == box.label;
}

// The best overlap with a mark that is free and (not) ignored, as an index; -1: none reaches `iou`.
int best_mark(const std::vector<LabelledBox>& marks, const std::vector<bool>& taken, const FoundBox& box,
              double iou, bool ignored) {
  int best = -1;
  double most = iou;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    if (taken[i] || marks[i].ignore != ignored || !may_match(marks[i], box)) continue;
    const double overlap = intersection_over_union(marks[i], box);
    if (overlap < most) continue;
    most = overlap;
    best = static_cast<int>(i);
  }
  return best;
}

void match(const LabelledPicture& picture, std::vector<FoundBox> boxes, double iou, Accuracy& out) {
  std::stable_sort(boxes.begin(), boxes.end(),
                   [](const FoundBox& a, const FoundBox& b) { return a.score > b.score; });
  std::vector<bool> taken(picture.boxes.size(), false);
  const bool named = std::any_of(picture.boxes.begin(), picture.boxes.end(),
                                 [](const LabelledBox& mark) { return !mark.label.empty(); });
  for (const FoundBox& box : boxes) {
    out.labels_compared |= named && !box.label.empty();  // also where none fits
    const int mark = best_mark(picture.boxes, taken, box, iou, false);
    if (mark >= 0) {
      taken[static_cast<std::size_t>(mark)] = true;
      ++out.matched;
      ++out.found;
    } else if (best_mark(picture.boxes, taken, box, iou, true) < 0) {
      ++out.found;
    }
  }
}

}  // namespace

std::optional<double> Accuracy::recall() const { return ratio(matched, marked); }
std::optional<double> Accuracy::precision() const { return ratio(matched, found); }
std::optional<double> Accuracy::top1() const { return classes ? ratio(right, pictures) : std::nullopt; }

double intersection_over_union(const LabelledBox& a, const FoundBox& b) {
  const double width = std::min(a.x + a.width, b.x + b.width) - std::max(a.x, b.x);
  const double height = std::min(a.y + a.height, b.y + b.height) - std::max(a.y, b.y);
  if (width <= 0 || height <= 0) return 0;
  const double common = width * height;
  return common / (a.width * a.height + b.width * b.height - common);
}

Accuracy measure(const LabelSet& labels, const std::vector<Answer>& answers, double iou) {
  Accuracy out;
  out.classes = labels.classes;
  out.pictures = static_cast<std::int64_t>(labels.pictures.size());
  for (std::size_t i = 0; i < labels.pictures.size(); ++i) {
    const LabelledPicture& picture = labels.pictures[i];
    const Answer& answer = answers[i];
    if (!answer.answered) ++out.unanswered;
    out.right += labels.classes && answer.answered && answer.label == picture.label;
    out.marked += std::count_if(picture.boxes.begin(), picture.boxes.end(),
                                [](const LabelledBox& b) { return !b.ignore; });
    match(picture, answer.boxes, iou, out);
  }
  return out;
}

}  // namespace sluice::cli
