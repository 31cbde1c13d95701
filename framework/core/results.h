// What postprocessing nodes find. All coordinates are float pixels of the upright source frame.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "framework/core/image.h"

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

// One piece of text: where it stands, and what it says once somebody has read it.
struct TextRegion {
  // Corners of a quadrilateral, clockwise as seen, from the top left one of the upright text.
  std::array<Point, 4> box{};
  float score = 0;   // 0..1, of the reading, or of the box while `text` is empty
  std::string text;  // UTF-8
};

// Reused like Detections.
struct TextRegions {
  std::vector<TextRegion> items;
  std::size_t count = 0;

  void clear() { count = 0; }
  // The next entry, with an empty text; grows only beyond the largest frame seen.
  TextRegion& add() {
    if (count == items.size()) items.emplace_back();
    TextRegion& region = items[count++];
    region.text.clear();
    return region;
  }
  const TextRegion* begin() const { return items.data(); }
  const TextRegion* end() const { return items.data() + count; }
};

// A grid of bytes over a part of the picture.
struct Mask {
  int label = 0;                     // of an instance: index into Masks::labels
  float score = 0;                   // of an instance: 0..1
  Geometry geometry;                 // grid -> source pixels; grid_width x grid_height values
  std::vector<std::uint8_t> values;  // row by row
};

// What belongs to which class (one label map) or to which object (one mask each). Reused like Detections.
struct Masks {
  enum class Kind : std::uint8_t {
    kLabelMap,   // one item, whose values are indices into `labels`
    kInstances,  // values are coverages: kCovered and above belong to the object
  };
  static constexpr std::uint8_t kCovered = 128;
  static constexpr int kNothing = 255;  // a label map's value for pixels of no class

  Kind kind = Kind::kLabelMap;
  std::vector<Mask> items;
  std::size_t count = 0;
  int background = kNothing;                         // a label map's value that is neither drawn nor written
  const std::vector<std::string>* labels = nullptr;  // owned by the node, lives as long as the pipeline

  void clear() { count = 0; }
  // The next entry; its values are those of an earlier frame until they are written.
  Mask& add() {
    if (count == items.size()) items.emplace_back();
    return items[count++];
  }
  const Mask* begin() const { return items.data(); }
  const Mask* end() const { return items.data() + count; }
};

}  // namespace sluice
