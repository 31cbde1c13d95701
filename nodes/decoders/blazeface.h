// BlazeFace (MediaPipe's short-range face detectors): front 128x128 and back 256x256.
#pragma once

#include "nodes/decoders/decoder.h"

namespace sluice {

// `types`: scores [1,n,1] and boxes [1,n,16], in any order, either for the fine (n = 2 g^2) and the coarse
// grid (n = 6 (g/2)^2) apart or for both joined, fine grid first; g = 16 in the published models, so n = 512,
// 384 or 896. Anchors stand at the centres of the cells and have unit size; a box is [x, y, width, height]
// and keypoints [x, y] in pixels of the model's input, relative to its anchor (SsdAnchorsCalculator with
// fixed_anchor_size and TensorsToDetectionsCalculator in MediaPipe's graphs). Fails (kInvalid) for other
// shapes.
Result<DecoderPtr> make_blazeface(std::span<const TensorType> types);

}  // namespace sluice
