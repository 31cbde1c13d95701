// manifest.json of a package: which files it holds, with their hashes.
#pragma once

#include <string>

#include "framework/core/status.h"

namespace sluice::cli {

constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kPackagedPipeline = "pipeline.yaml";

// Hashes every file below `folder` and writes its manifest. `name`: the pipeline's. kFailed.
Status write_manifest(const std::string& folder, const std::string& name);

// The path of the package's pipeline, once every file of the manifest is there and has its hash. Files that
// the manifest does not name are not looked at: runs write theirs into the folder. kInvalid: no manifest, or
// one that names what is not inside the folder; kUnavailable: missing or damaged files, a line each.
Result<std::string> verify_package(const std::string& folder);

}  // namespace sluice::cli
