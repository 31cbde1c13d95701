// Non-maximum suppression: of boxes that cover the same object, one remains.
#pragma once

#include <cstddef>

#include "nodes/decoders/decoder.h"

namespace sluice {

// Area of the intersection over area of the union; 0 for boxes without area.
float overlap(const Candidate& a, const Candidate& b);

// Both leave at most `most` boxes, best score first, and compare boxes of the same label only. A box gives
// way to a better one when their overlap is above `iou`. Equal scores go by Candidate::order, so the result
// never depends on the sorting algorithm. One object serves one node: it keeps its memory between frames.
class Suppression {
 public:
  // Memory for results of up to `most` boxes.
  void reserve(std::size_t most, std::size_t points_per_box);

  // The best box stays as it is.
  void hard(Candidates& candidates, float iou, std::size_t most);

  // The best box becomes the score-weighted mean, corners and keypoints, of itself and all it suppresses; its
  // score stays. As MediaPipe's NonMaxSuppressionCalculator does with algorithm WEIGHTED.
  void weighted(Candidates& candidates, float iou, std::size_t most);

 private:
  void take_group(Candidates& candidates, float iou);
  Candidates kept_;
};

}  // namespace sluice
