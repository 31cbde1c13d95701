// What a model's file knows of the layers that profilers name: they leave out types and weights.
#pragma once

#include <vector>

#include "inference/onnx/model_header.h"
#include "tools/sluice/layer_times.h"

namespace sluice::cli {

// Finds each layer's operator by its name, which ONNX Runtime and QNN lengthen ("conv_token_1", "fused conv",
// "conv_out_nchwc"), and adds `type`, `kernel`, `quantised` and the element type of its first input where
// they are not there. A layer of a compiled model, whose operators nobody knows, has the type EPContext.
void describe_layers(const onnx::ModelHeader& header, std::vector<LayerTime>& layers);

}  // namespace sluice::cli
