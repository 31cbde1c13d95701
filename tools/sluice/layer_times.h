// How long each layer of a model takes, from what profilers write.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice::cli {

struct LayerShape {
  std::string dtype;  // ONNX Runtime's name: "float", "uint8"
  std::vector<std::int64_t> dims;
};

struct LayerTime {
  std::string name, type;
  double ms = 0;      // mean per run; 0 where the profiler gives cycles only
  double cycles = 0;  // the same
  double share = 0;   // of all layers, 0..1
  std::vector<LayerShape> inputs, outputs;
  std::vector<std::int64_t> kernel;  // dimensions of the weights, where the model's file tells
  std::string quantised;             // to which element type the file has its first input; empty: it has not
};

// ONNX Runtime's profile, a list of events in Chrome's trace format; longest first. kInvalid.
Result<std::vector<LayerTime>> read_ort_profile(std::string_view text);

// What our OpenCL provider writes (backends/gpu/ep/plugin.h), "microseconds,operator" by line; longest first.
// An operator without a name stands for the model's inputs and outputs. kInvalid: no such line.
Result<std::vector<LayerTime>> read_gpu_profile(std::string_view text);

// QNN's CSV with per-operator cycles (profiling level detailed); most cycles first; types are unknown. The
// cycles of the simulator are a model, not the chip. kInvalid: no such rows.
Result<std::vector<LayerTime>> read_qnn_profile(std::string_view text);

}  // namespace sluice::cli
