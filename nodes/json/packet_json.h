// Packets as JSON, in the form of contract section 5.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/packet.h"

namespace sluice {

// The key of a payload type where the file gives no name: "detections", "classes", "text", "masks", "tensor",
// "image". Empty:
// values of this type cannot be written.
std::string_view json_key(const PayloadType* type);

// The value of a packet:
//   detections  [{"label", "score", "box": [left, top, width, height], "keypoints": [[x, y], ...]}, ...]; no
//               keypoints where the model has none; pixels with two decimals, scores with four
//   classes     [{"label", "index", "score"}, ...]
//   text        [{"text", "score", "box": [[x, y], ...]}, ...]: four corners, clockwise from the text's top
//               left
//   masks       [{"label", "index", "score", "size": [rows, columns], "counts": [...], "to_source": [...]},
//               ...]: one per class that occurs (no score) or per object; run lengths in COCO's order: column
//               by column, uncovered first; to_source takes column and row to source pixels:
//               x = a[0] c + a[1] r + a[2], y = a[3] c + a[4] r + a[5]
//   tensor      {"dtype", "shape", "values": [...]}: real numbers, row by row
//   image       {"width", "height", "format"}: of the upright picture, without its pixels
// null for an empty packet (a failed element of a list).
void append_packet(std::string& out, const Packet& packet);

}  // namespace sluice
