// Finds and loads the ONNX Runtime library at run time, so that a pipeline without a model loads none of it.
#pragma once

#include <string>
#include <vector>

#include "backends/ort/api.h"
#include "framework/core/status.h"

namespace sluice::ort {

struct Library {
  const OrtApi* api = nullptr;
  int api_version = 0;  // at most the headers' one
  std::string version;  // "1.29.0"
  std::string path;     // of the file that was loaded
};

// Where it is looked for, in order: SLUICE_ONNXRUNTIME alone when it is set; else next to our own library,
// where it was found when Sluice was built, and wherever the loader finds its name.
std::vector<std::string> library_candidates();

// The first candidate that loads and is new enough (API 24, 1.24). It is never unloaded. kUnavailable with
// every candidate and why it failed.
Result<Library> load_library(const std::vector<std::string>& candidates);

}  // namespace sluice::ort
