// What `sluice compare` found, and how it is written.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "inference/inference.h"
#include "quantize/error_meter.h"

namespace sluice::cli {

struct ComparedTensor {
  std::string name;
  std::string type;  // of the layer's operator; empty for outputs
  quantize::ErrorMeter meter;
};

struct Comparison {
  std::string model, backend, reference_model, reference;
  bool simulated = false;
  Placement placement;  // of the model, not of the reference
  std::size_t samples = 0;
  bool with_layers = false;                     // asked for, even where both models have none in common
  std::vector<ComparedTensor> outputs, layers;  // layers in the order in which they run
};

// From this signal-to-noise ratio on a layer counts as right, unless the user demands another.
constexpr double kRightSnr = 10.0;

// The first layer, in running order, whose ratio is below `least` or that holds NaN or infinity; else the
// first such output; null: none.
const ComparedTensor* first_wrong(const Comparison& comparison, double least);

// "backend 'gpu' takes 2 of 3 operators of M, cpu takes 1 (reasons)"; empty: it takes all of them.
std::string elsewhere_text(const std::string& backend, const std::string& model, const Placement& placement);

std::string comparison_text(const Comparison& comparison, double least);
// Ratios are cut at +-200 dB (identical tensors).
std::string comparison_json(const Comparison& comparison, double least);

}  // namespace sluice::cli
