// Turns a pipeline file into the one that makes calibration data: what leads to its `preprocess`, fed with
// pictures or a video.
#pragma once

#include <string>

#include "framework/core/status.h"
#include "framework/node/registry.h"
#include "framework/spec/spec.h"

namespace sluice::cli {

constexpr const char* kCalibrationSink = "calibration_sink";

struct CalibrationSource {
  std::string data;   // a folder of pictures, a picture, or a video
  std::string model;  // has the input that the tensors are for, as float32 or its integers
};

// Keeps what leads to `node`, which must be a preprocess; replaces the one source before it; the model that
// it names becomes `source.model`; ends in an app_sink named kCalibrationSink and loses no frame. kInvalid.
Result<GraphSpec> make_calibration_pipeline(const GraphSpec& spec, const Registry& registry,
                                            const std::string& node, const CalibrationSource& source);

struct DefaultPixels {
  double mean, std;
};

// The same without a file: pictures stretched to the model's input, RGB, (pixel - mean) / std.
GraphSpec default_calibration_pipeline(const CalibrationSource& source, const DefaultPixels& pixels);

// What a preprocess does to pixels, as JSON: its fit, color, mean, std and pad_value as far as they are
// written. And back: the default pipeline with them (kInvalid: no such JSON).
std::string preprocess_json(const GraphSpec& spec, const std::string& node);
Result<GraphSpec> calibration_pipeline_from(const std::string& json, const CalibrationSource& source);

// Of a pipeline made here: its preprocess.
std::string preprocess_of(const GraphSpec& spec);

}  // namespace sluice::cli
