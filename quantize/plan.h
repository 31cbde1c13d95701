// Decides which tensor of a float network gets which encoding, by the HTP's rules (operators.h).
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "quantize/encoding.h"
#include "quantize/onnx_proto.h"
#include "quantize/ranges.h"
#include "quantize/statistics.h"

namespace sluice::quantize {

struct Scheme {
  int bits = 8;             // of activations; weights have 8
  bool per_channel = true;  // of convolutions' and Gemm's weights
  RangeMethod range = RangeMethod::kMinMax;
  std::map<std::string, int> operator_bits;  // of operators (by name) whose activations have another number
  // Encodings that the user gives, by tensor; over everything else.
  std::map<std::string, Encoding> activations, parameters;
};

// A constant input of one operator.
struct ConstantEncoding {
  int node = 0;
  int input = 0;
  Encoding encoding;
};

struct QuantPlan {
  std::vector<int> bits;                        // of each node's activations; 0: it stays float
  std::map<std::string, Encoding> activations;  // as the tensor is written
  std::map<std::string, Encoding> converted;    // for readers that want another number of bits
  std::vector<ConstantEncoding> constants;

  // As node `n` reads the activation; null when it is not quantised.
  const Encoding* read_by(const std::string& tensor, int n) const;
};

// Relu and Clip whose only input is made for them alone vanish into the encoding of what they clip: the
// tensor takes over their name. `kept`: outputs of those that must stay.
void absorb_clips(pb::GraphProto& graph, const std::set<std::string>& kept);

// `graph` as prepared, after absorb_clips; `statistics` were taken before it. kUnavailable: no operator can
// be quantised, or a tensor was never seen.
Result<QuantPlan> make_plan(const pb::GraphProto& graph, const Statistics& statistics, const Scheme& scheme);

}  // namespace sluice::quantize
