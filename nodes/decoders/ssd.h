// Single-shot detectors whose boxes are already decoded: raw boxes with scores, or suppressed by the model
// itself.
#pragma once

#include <cstdint>

#include "nodes/decoders/decoder.h"

namespace sluice {

// Order of a box's corners. kAuto: yxyx (TensorFlow), but xyxy beside scores [1,n,c] or integer class
// numbers, as PyTorch's exporters write them.
enum class BoxOrder : std::uint8_t { kAuto, kYxyx, kXyxy };
// What corners are measured in: parts of the model's input (0..1), or its pixels, as torchvision's exporters
// write them.
enum class BoxUnit : std::uint8_t { kParts, kPixels };

struct SsdOptions {
  BoxOrder order = BoxOrder::kAuto;
  BoxUnit unit = BoxUnit::kParts;
  std::size_t label_count = 0;  // names that the user gave
};

// Scores are probabilities. Recognised, in any order:
//   boxes [1,n,4], scores [1,n]      one class
//   boxes [1,n,4], scores [1,n,c]    c classes; for c > 1 column 0 is the background
//   boxes [1,n,4], classes [1,n], scores [1,n], and maybe the number of boxes [1]: suppressed by the model
// Of two tensors [1,n], the classes are those of integers, else those named so ("class", "label"), else the
// first, as in TensorFlow's DetectionPostProcess. A class number is used as written. A column's label is its
// index, less one for the background unless `label_count` names that too. Fails (kInvalid) for other shapes.
// `decode` fails on parts that lie far outside of the picture: those are pixels.
Result<DecoderPtr> make_ssd(std::span<const TensorType> types, const SsdOptions& options);

}  // namespace sluice
