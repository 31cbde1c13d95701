// What a package holds besides manifests: which files it takes along, and where the pipeline finds them then.
#pragma once

#include <string>
#include <utility>
#include <vector>

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
  std::vector<PackagedModel> models;  // with all variants
  std::vector<std::pair<std::string, std::string>>
      files;                                      // path here, path in the package; files and folders
  std::vector<std::string> outputs = {"output"};  // folders in the package that sinks write to
  std::vector<NewPath> paths;                     // of the pipeline
};

// Models go to `models/`, files and folders that options name (of a pattern with * ? [ ] the files that it
// matches) to `files/`, what sinks write to `output/`, where folders that are apart stay so. Addresses and
// devices stay as they are. Adds an issue for each path that names nothing here.
PackageContents package_contents(const GraphSpec& spec, const Registry& registry, Issues& issues);

}  // namespace sluice::cli
