// What turns a detector's output tensors into candidate boxes. One class per family of models.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/core/packet.h"
#include "framework/core/results.h"
#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice {

// One box before suppression. Continuous coordinates in pixels of the model's input grid.
struct Candidate {
  float x0 = 0, y0 = 0, x1 = 0, y1 = 0;
  float score = 0;  // 0..1
  int label = 0;
  std::uint32_t order = 0;   // where the model lists it: decides between equal scores
  std::uint32_t points = 0;  // first keypoint in Candidates::points
};

// The candidates of one frame; reused from frame to frame.
struct Candidates {
  std::vector<Candidate> boxes;
  std::vector<Point> points;
  std::size_t points_per_box = 0;

  void clear() {
    boxes.clear();
    points.clear();
  }
  void reserve(std::size_t count, std::size_t points_each) {
    points_per_box = points_each;
    boxes.reserve(count);
    points.reserve(count * points_each);
  }
};

// Made for the output types of one model (of one route); keeps no state between frames. One thread at a time.
class Decoder {
 public:
  virtual ~Decoder() = default;
  // Appends the candidates of one frame with a score of at least `min_score`. `tensors` are in the order of
  // the types the decoder was made for; their geometry gives the size of the model's input. Candidates that
  // are not finite or have no area are left out. Fails (kFailed) when the values contradict the decoder.
  virtual Status decode(std::span<const Tensor* const> tensors, float min_score, Candidates& out) = 0;
  // The most candidates a frame can have, and how many keypoints each has.
  virtual std::size_t max_candidates() const = 0;
  virtual std::size_t points_per_box() const { return 0; }
  // False when the model suppresses duplicates itself.
  virtual bool needs_suppression() const { return true; }
};

using DecoderPtr = std::unique_ptr<Decoder>;

// The shape without a leading batch dimension of one (or a symbolic one): what a single frame has.
// A view into the type; allocates nothing.
inline std::span<const std::int64_t> frame_dims(const TensorType& type) {
  const std::span<const std::int64_t> dims(type.shape.begin(), type.shape.end());
  const bool batch = dims.size() > 1 && (dims.front() == 1 || dims.front() == Shape::kSymbolic);
  return batch ? dims.subspan(1) : dims;
}
inline std::vector<std::int64_t> frame_shape(const TensorType& type) {
  const std::span<const std::int64_t> dims = frame_dims(type);
  return {dims.begin(), dims.end()};
}

// "1x512x1 (scores), 1x512x16 (boxes)": the outputs as messages name them.
inline std::string shapes_text(std::span<const TensorType> types) {
  std::string text;
  for (const TensorType& type : types) {
    if (!text.empty()) text += ", ";
    text += type.shape.text();
    if (!type.name.empty()) text += " ('" + type.name + "')";
  }
  return text;
}

}  // namespace sluice
