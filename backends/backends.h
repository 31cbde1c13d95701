// The one list of backends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "framework/core/clock.h"
#include "inference/inference.h"

namespace sluice {

// htp, gpu, cpu, fake: in the order of `doctor`. Loads nothing; `available()` of one does. `clock` outlives
// them.
std::vector<std::unique_ptr<Backend>> make_backends(Clock& clock);

// What backends can make models of beside ONNX files (model_formats.h). Once per process, before models are
// checked; asking again changes nothing.
void register_model_formats();

// "1.29.0 (PATH)" of the ONNX Runtime in use, or why there is none. Loads it.
Result<std::string> onnxruntime_version();

}  // namespace sluice
