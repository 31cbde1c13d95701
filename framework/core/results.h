// What postprocessing nodes find. All coordinates are float pixels of the upright source frame.
#pragma once

#include <string>
#include <vector>

namespace sluice {

struct Point {
  float x = 0;
  float y = 0;
};

struct Detection {
  float x = 0, y = 0, width = 0, height = 0;  // box: left, top, size
  float score = 0;                            // 0..1
  int label = 0;                              // index into Detections::labels
  std::vector<Point> keypoints;
};

// Objects of this kind are reused from frame to frame: `count` entries of `items` are valid, the rest keeps
// its memory.
struct Detections {
  std::vector<Detection> items;
  std::size_t count = 0;
  const std::vector<std::string>* labels = nullptr;  // owned by the node, lives as long as the pipeline

  void clear() { count = 0; }
  // The next entry, with keypoints empty; grows only beyond the largest frame seen.
  Detection& add() {
    if (count == items.size()) items.emplace_back();
    Detection& d = items[count++];
    d.keypoints.clear();
    return d;
  }
  const Detection* begin() const { return items.data(); }
  const Detection* end() const { return items.data() + count; }
};

struct ClassScore {
  int index = 0;
  float score = 0;
};

struct Classes {
  std::vector<ClassScore> items;
  std::size_t count = 0;
  const std::vector<std::string>* labels = nullptr;
};

}  // namespace sluice
