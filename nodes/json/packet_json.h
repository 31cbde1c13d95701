// Packets as JSON, in the form of contract section 5.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/packet.h"

namespace sluice {

// The key of a payload type where the file gives no name: "detections", "classes", "tensor", "image". Empty:
// values of this type cannot be written.
std::string_view json_key(const PayloadType* type);

// The value of a packet:
//   detections  [{"label", "score", "box": [left, top, width, height], "keypoints": [[x, y], ...]}, ...]; no
//   keypoints
//               where the model has none; pixels with two decimals, scores with four
//   classes     [{"label", "index", "score"}, ...]
//   tensor      {"dtype", "shape", "values": [...]}: real numbers, row by row
//   image       {"width", "height", "format"}: of the upright picture, without its pixels
// null for an empty packet (a failed element of a list).
void append_packet(std::string& out, const Packet& packet);

}  // namespace sluice
