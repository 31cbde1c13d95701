// Encodings that come from elsewhere: the JSON files of Qualcomm's AIMET and QNN converter, versions 0.6.1
// (dictionaries by tensor) and 1.0.0 (lists of objects with a name).
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "quantize/encoding.h"
#include "quantize/onnx_proto.h"
#include "quantize/plan.h"

namespace sluice::quantize {

struct GivenEncodings {
  std::map<std::string, Encoding> activations;  // unsigned
  std::map<std::string, Encoding> parameters;   // signed around zero, or unsigned
  std::optional<int> activation_bits;           // of activations without an entry, when the file says
  std::vector<std::string> notes;               // what was decided or left out
};

// Keys: `activation_encodings`, `param_encodings`, and the defaults `activation_bitwidth`, `param_bitwidth`
// and `bias_bitwidth`: of entries without a `bitwidth` (`bw`), and of tensors without an entry. An entry has
// scale and offset, or min and max, or all of them; symmetric or not; one, or one per channel. `//` comments
// are allowed. An offset is -zero_point; a positive one, which is seen too, is the zero point itself, and a
// note says so. Biases follow from their layer's input and weights: their entries are left out, with a note.
// An entry under the other key's name is taken as what its tensor is, with a note. `graph` is the prepared
// network, `original` the names of tensors in the file that it was made from: what preparing it folded away
// is left out with a note. kInvalid, with every problem on a line of its own: no JSON, unknown tensors,
// tensors that are there twice, bit widths other than 8 and 16 (biases: 32), `param_bitwidth` 16 for weights
// without an entry (measured ones have 8), float encodings, scales that contradict min and max, another
// number of channels than the tensor has.
Result<GivenEncodings> read_encodings(std::string_view text, const pb::GraphProto& graph,
                                      const std::set<std::string>& original);

// Every encoding of the plan in form 1.0.0, and the scheme's width of activations. Read back, it gives the
// same plan.
std::string write_encodings(const pb::GraphProto& graph, const QuantPlan& plan, int activation_bits);

}  // namespace sluice::quantize
