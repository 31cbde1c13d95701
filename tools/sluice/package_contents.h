// What a package holds besides manifests: which files it takes along, and where the pipeline finds them then.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/node/registry.h"
#include "framework/spec/spec.h"
#include "inference/inference.h"
#include "tools/sluice/rewrite_paths.h"

namespace sluice::cli {

struct PackagedModel {
  ModelRequest request;  // as the pipeline names it
  std::string file;      // in the package
};

struct PackageContents {
  std::vector<PackagedModel> models;         // with all variants
  std::map<std::string, std::string> files;  // path here -> path in the package, for files and folders
  std::vector<NewPath> paths;                // of the pipeline
};

// Models go to `models/`, files and folders that options name to `files/`, what sinks write to `output/`.
// Addresses and devices stay as they are. kInvalid, a line per problem: a path that names nothing here.
Result<PackageContents> package_contents(const GraphSpec& spec, const Registry& registry);

}  // namespace sluice::cli
