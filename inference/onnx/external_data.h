// External data must stay inside the model's folder (architecture rule 9).
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/onnx/model_header.h"

namespace sluice::onnx {

// kUnavailable for a location that is empty, absolute, has '..', passes through a symbolic link, has other
// hard links (ONNX Runtime does not look for those), is no regular file, is missing, or is shorter than the
// model says; for an offset or length that is no number, and a length that is not the tensor's.
Status check_external_data(const std::vector<ExternalData>& external, const std::string& folder);

}  // namespace sluice::onnx
