// One entry of an encodings file, from its JSON to an Encoding.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "framework/core/status.h"
#include "quantize/encoding.h"

namespace sluice::quantize {

struct EncodingEntry {
  int bits = 8;
  bool symmetric = false;
  std::vector<double> scale;
  std::vector<std::int64_t> zero_point;  // of unsigned integers; as many as scale
  bool positive_offset = false;          // the file gave zero points
};

// A list of objects with `bitwidth`, `scale`, `offset`, `min`, `max`, `is_symmetric` (0.6.1), or one object
// with `bw`, `is_sym` and lists of `scale` and `offset` (1.0.0). `default_bits` where it names no width.
// kInvalid: "is ...", "has ...".
Result<EncodingEntry> parse_entry(const nlohmann::ordered_json& json, int default_bits);

// Activations are unsigned on the HTP. kInvalid: a zero point outside of the integers.
Result<Encoding> unsigned_encoding(const EncodingEntry& entry);
// Symmetric weights are signed around zero; others unsigned, with one scale only.
Result<Encoding> weight_encoding(const EncodingEntry& entry);

}  // namespace sluice::quantize
