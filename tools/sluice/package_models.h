// The models of a package, and what it says of them.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "tools/sluice/package_contents.h"

namespace sluice::cli {

// Copies each model with the files that it reads (external data, a context binary beside it) into `folder`,
// and writes input_specs.json, quantization_config.json and encodings/ there. kUnavailable: a model cannot be
// used; kFailed.
Status package_models(const std::vector<PackagedModel>& models, const std::string& folder);

}  // namespace sluice::cli
