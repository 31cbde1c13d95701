// A model that somebody compiled for the NPU before: ONNX with EPContext nodes, as AI Hub, ONNX Runtime and
// `sluice compile` write them. The provider loads one of another chip without a word and computes with it.
#pragma once

#include <optional>
#include <string>

#include "framework/core/status.h"
#include "inference/checked_model.h"

namespace sluice::htp {

// What it was compiled for; empty or 0: it does not say.
struct CompiledFor {
  std::string qairt;  // "2.51.0"
  int arch = 0;       // 73
  int soc = 0;        // QNN's number: 43
};

bool is_compiled(const onnx::ModelHeader& header);
// From the metadata `ep_compatibility_info.QNNExecutionProvider` ("v2:6:2.51.0:5.51.0:73:43:0:0": ..., QAIRT,
// HTP library, architecture, chip, ...).
CompiledFor read_compiled_for(std::string_view model);
// The same; where the metadata say nothing (AI Hub's say nothing), what the context binary inside or beside
// the model says, asked of libQnnSystem.so (its path; empty: not asked). kUnavailable: the binary is missing,
// lies outside the model's folder, or cannot be read.
Result<CompiledFor> find_compiled_for(const CheckedModel& model, const std::string& system_library);
// kUnavailable, naming both: made for another chip, or by a newer QAIRT than `version` (major.minor.patch).
Status check_compiled_for(const CompiledFor& made, int soc, int arch, const std::string& version);

}  // namespace sluice::htp
