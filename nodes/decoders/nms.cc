#include "nodes/decoders/nms.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

void sort_best_first(std::vector<Candidate>& boxes) {
  std::sort(boxes.begin(), boxes.end(), [](const Candidate& a, const Candidate& b) {
    return a.score != b.score ? a.score > b.score : a.order < b.order;
  });
}

bool same_object(const Candidate& a, const Candidate& b, float iou) {
  return a.label == b.label && overlap(a, b) > iou;
}

// Sums of corners and keypoints, each times its box's score.
class WeightedSum {
 public:
  // The sums of the keypoints go to the end of `points`.
  WeightedSum(std::vector<Point>& points, std::size_t count)
      : points_(points), first_(points.size()), count_(count) {
    points_.resize(first_ + count_);
  }

  void add(const Candidate& box, const Point* box_points) {
    x0_ += box.x0 * box.score;
    y0_ += box.y0 * box.score;
    x1_ += box.x1 * box.score;
    y1_ += box.y1 * box.score;
    total_ += box.score;
    for (std::size_t i = 0; i < count_; ++i) {
      points_[first_ + i].x += box_points[i].x * box.score;
      points_[first_ + i].y += box_points[i].y * box.score;
    }
  }

  Candidate mean(Candidate best, const Point* best_points) {
    best.points = static_cast<std::uint32_t>(first_);
    if (total_ <= 0) {  // scores of zero weigh nothing
      std::copy_n(best_points, count_, points_.begin() + static_cast<std::ptrdiff_t>(first_));
      return best;
    }
    best.x0 = x0_ / total_;
    best.y0 = y0_ / total_;
    best.x1 = x1_ / total_;
    best.y1 = y1_ / total_;
    for (std::size_t i = 0; i < count_; ++i) {
      points_[first_ + i] = {points_[first_ + i].x / total_, points_[first_ + i].y / total_};
    }
    return best;
  }

 private:
  std::vector<Point>& points_;
  std::size_t first_;
  std::size_t count_;
  float x0_ = 0, y0_ = 0, x1_ = 0, y1_ = 0, total_ = 0;
};

}  // namespace

float overlap(const Candidate& a, const Candidate& b) {
  const float width = std::min(a.x1, b.x1) - std::max(a.x0, b.x0);
  const float height = std::min(a.y1, b.y1) - std::max(a.y0, b.y0);
  if (width <= 0 || height <= 0) return 0;
  const float both = width * height;
  const float any = (a.x1 - a.x0) * (a.y1 - a.y0) + (b.x1 - b.x0) * (b.y1 - b.y0) - both;
  return any > 0 ? both / any : 0;
}

void Suppression::reserve(std::size_t most, std::size_t points_per_box) {
  kept_.reserve(most, points_per_box);
}

void Suppression::hard(Candidates& candidates, float iou, std::size_t most) {
  std::vector<Candidate>& boxes = candidates.boxes;
  sort_best_first(boxes);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < boxes.size() && kept < most; ++i) {
    const Candidate box = boxes[i];
    const auto end = boxes.begin() + static_cast<std::ptrdiff_t>(kept);
    const bool taken =
        std::any_of(boxes.begin(), end, [&](const Candidate& k) { return same_object(k, box, iou); });
    if (!taken) boxes[kept++] = box;
  }
  boxes.resize(std::min(kept, boxes.size()));
}

// Moves the best box and all that it suppresses out of `candidates`, and their mean into `kept_`.
void Suppression::take_group(Candidates& candidates, float iou) {
  std::vector<Candidate>& boxes = candidates.boxes;
  const auto points_of = [&](const Candidate& box) { return candidates.points.data() + box.points; };
  const Candidate best = boxes.front();
  WeightedSum sum(kept_.points, candidates.points_per_box);
  sum.add(best, points_of(best));
  std::size_t rest = 0;
  for (std::size_t i = 1; i < boxes.size(); ++i) {
    const Candidate box = boxes[i];
    if (same_object(best, box, iou))
      sum.add(box, points_of(box));
    else
      boxes[rest++] = box;
  }
  boxes.resize(rest);
  kept_.boxes.push_back(sum.mean(best, points_of(best)));
}

void Suppression::weighted(Candidates& candidates, float iou, std::size_t most) {
  sort_best_first(candidates.boxes);
  kept_.clear();
  while (!candidates.boxes.empty() && kept_.boxes.size() < most) take_group(candidates, iou);
  // Copied, not swapped: both keep the memory that was reserved for their own part.
  candidates.boxes.assign(kept_.boxes.begin(), kept_.boxes.end());
  candidates.points.assign(kept_.points.begin(), kept_.points.end());
}

}  // namespace sluice
