// Cross-layer equalisation: M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
// Correction", ICCV 2019, section 4.1.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"
#include "quantize/onnx_proto.h"

namespace sluice::quantize {

struct Equalisation {
  int pairs = 0;             // of layers that were equalised
  double spread_before = 0;  // mean over layers of log2(largest channel range / median one), of their weights
  double spread_after = 0;
};

// Where a layer's output goes, channel by channel and only through operators f with f(s x) = s f(x), to
// another layer, its channels are scaled so that both layers' weights have the same range in that channel;
// the network computes the same. One scale per weight tensor then wastes less. The graph as prepared; its
// weights change. Weights and activations that then hold other numbers get another name, `equalised_name`, so
// that nobody takes them for those of the network before.
Result<Equalisation> equalise(pb::GraphProto& graph);

std::string equalised_name(const std::string& tensor);
bool is_equalised_name(std::string_view tensor);

}  // namespace sluice::quantize
