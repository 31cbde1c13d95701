#include "runtime/thermal/kept_files.h"

#include <fmt/format.h>

#include <filesystem>

#include "nodes/picture_name.h"

namespace sluice {
namespace {

namespace fs = std::filesystem;

// A name with {frame} and {source} stands for many files.
std::string first_name(const Plan& plan, const NodePlan& node, const std::string& path) {
  const Result<PictureName> name =
      node.declaration->type == "image_sink" ? PictureName::parse(path) : Result<PictureName>(failed(""));
  if (!name.ok() || node.source < 0) return path;
  const SourcePlan& source = plan.sources[static_cast<std::size_t>(node.source)];
  std::string out;
  name->expand(plan.nodes[static_cast<std::size_t>(source.node)].id, 0, out);
  return out;
}

// Pipes and devices are written into, never replaced.
bool is_special(const std::string& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

Status refused(const KeptFile& file, const std::string& why) {
  return invalid(
      fmt::format("node '{}': option 'path' is '{}', and overwrite is false: {}; set overwrite: true",
                  file.node, file.path, why));
}

}  // namespace

std::vector<KeptFile> kept_files(const Plan& plan) {
  std::vector<KeptFile> out;
  for (const NodePlan& node : plan.nodes) {
    const Options& options = *node.options;
    if (!node.declaration->sink || !options.has("overwrite") || options.flag("overwrite")) continue;
    if (!options.has("path") || options.text("path") == "-") continue;
    const std::string& path = options.text("path");
    if (const std::string first = first_name(plan, node, path); !is_special(first))
      out.push_back({node.id, path, first});
  }
  return out;
}

Status check_kept_files(const std::vector<KeptFile>& files, int runs, bool resumed) {
  if (runs == 0) return {};
  for (const KeptFile& file : files) {
    if (runs > 1)
      return refused(
          file,
          fmt::format("each of the {} runs of this test writes it anew, so the second would fail", runs));
    std::error_code error;
    if (!fs::exists(fs::symlink_status(file.first, error))) continue;
    const Status there = refused(file, fmt::format("'{}' exists{}, so the run would fail", file.first,
                                                   resumed ? ", maybe of the interrupted test" : ""));
    return resumed ? there : failed(there.message());
  }
  return {};
}

}  // namespace sluice
