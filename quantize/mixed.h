// Scheme `mixed`: 8 bits where they suffice, 16 where they do not.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/held_out.h"
#include "quantize/onnx_proto.h"
#include "quantize/plan.h"
#include "quantize/statistics.h"

namespace sluice::quantize {

struct RaisedOperator {
  std::string name, type;
  double harm =
      0;  // of quantising its result alone to 8 bits: error energy over signal energy, summed over outputs
};

struct MixedChoice {
  std::map<std::string, int> operator_bits;  // of the raised ones: 16
  std::vector<RaisedOperator> raised;        // the most harmful first
  Quality before, after;                     // nothing raised; these raised
  int candidates = 0;
};

// `network` after absorb_clips, `whole` the same before it, both with 16-bit operator set. Measures each
// operator alone, then raises the most harmful ones: as few as reach `target` on the held-out samples, all of
// them when that is not enough (`after` says it).
Result<MixedChoice> choose_mixed(const pb::ModelProto& network, const pb::ModelProto& whole,
                                 const Statistics& statistics, Scheme scheme, const Judge& judge,
                                 const Target& target);

}  // namespace sluice::quantize
