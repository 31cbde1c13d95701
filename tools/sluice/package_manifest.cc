#include "tools/sluice/package_manifest.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/suggest.h"
#include "inference/foreign_json.h"
#include "inference/model_file.h"
#include "inference/sha256.h"
#include "runtime/atomic_file.h"
#include "runtime/library.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kMostManifestBytes = 16u << 20;

// Mapped, so that a large model costs no memory.
Result<std::string> hash_of_file(const fs::path& path) {
  std::error_code unknown;  // what cannot be looked up cannot be opened
  if (fs::file_size(path, unknown) == 0) return sha256_hex({});
  SLUICE_ASSIGN(const auto file, ModelFile::open(path.string()));
  return sha256_hex(file->bytes());
}

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) out.push_back(entry.path().lexically_relative(folder));
  std::sort(out.begin(), out.end());
  return out;
}

// A plain name below the folder: nothing that leads out of it.
bool stays_inside(const std::string& name) {
  const fs::path path(name);
  if (name.empty() || path.is_absolute() || path.lexically_normal() != path) return false;
  return std::none_of(path.begin(), path.end(),
                      [](const fs::path& part) { return part == ".." || part == "."; });
}

bool has_link(const fs::path& folder, const std::string& name) {
  fs::path at = folder;
  for (const fs::path& part : fs::path(name)) {
    at /= part;
    std::error_code unknown;  // no file is there
    if (fs::is_symlink(at, unknown)) return true;
  }
  return false;
}

// What is wrong with one file; empty: nothing.
std::string problem_of(const fs::path& folder, const Json& entry) {
  const auto name = entry.at("path").get<std::string>(), expected = entry.at("sha256").get<std::string>();
  const fs::path path = folder / name;
  if (has_link(folder, name)) return path_in_quotes(name) + " is, or lies behind, a symbolic link";
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return path_in_quotes(name) + " is missing";
  const auto hash = hash_of_file(path);
  if (!hash.ok()) return hash.status().message();
  if (*hash == expected) return {};
  return path_in_quotes(name) + " has sha256 " + *hash + ", the manifest says " + expected;
}

Result<Json> read_manifest(const fs::path& folder) {
  const fs::path path = folder / kManifestFile;
  std::error_code error;
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return invalid("is no package: there is no " + std::string(kManifestFile));
  if (size > kMostManifestBytes) return invalid(std::string(kManifestFile) + " has more than 16 MiB");
  std::ifstream file(path, std::ios::binary);
  Json out = read_json<Json>(std::string{std::istreambuf_iterator<char>(file), {}});
  if (out.is_discarded() || !out.is_object() || !out.contains("files"))
    return invalid(std::string(kManifestFile) + " is no manifest of a package");
  if (out.value("version", 0) != 1)
    return invalid(std::string(kManifestFile) + " has version " + out.value("version", Json()).dump() +
                   ", this program reads version 1");
  return out;
}

Result<std::string> verify(const fs::path& folder) {
  SLUICE_ASSIGN(const Json manifest, read_manifest(folder));
  bool has_pipeline = false;
  for (const Json& entry : manifest.at("files")) {
    const auto name = entry.at("path").get<std::string>();
    if (!stays_inside(name))
      return invalid(std::string(kManifestFile) + " names " + path_in_quotes(name) +
                     ", which is not inside the package");
    has_pipeline = has_pipeline || name == kPackagedPipeline;
  }
  if (!has_pipeline) return invalid(std::string(kManifestFile) + " does not name " + kPackagedPipeline);
  std::string problems;
  for (const Json& entry : manifest.at("files")) {
    const std::string problem = problem_of(folder, entry);
    if (!problem.empty()) problems += (problems.empty() ? "" : "\n") + problem;
  }
  if (!problems.empty()) return unavailable(problems + "\nthe package is damaged; copy it or make it again");
  return (folder / kPackagedPipeline).string();
}

}  // namespace

Status write_manifest(const std::string& folder, const std::string& name) {
  Json files = Json::array();
  for (const fs::path& file : files_below(folder)) {
    const fs::path path = fs::path(folder) / file;
    SLUICE_ASSIGN(std::string hash, hash_of_file(path));
    files.push_back(
        {{"path", file.generic_string()}, {"bytes", fs::file_size(path)}, {"sha256", std::move(hash)}});
  }
  const Json manifest = {{"version", 1},
                         {"name", name},
                         {"sluice", version()},
                         {"pipeline", kPackagedPipeline},
                         {"files", std::move(files)}};
  return replace_file((fs::path(folder) / kManifestFile).string(), manifest.dump(1) + "\n");
}

Result<std::string> verify_package(const std::string& folder) {
  const std::string place = path_in_quotes(folder) + ": ";
  try {
    auto pipeline = verify(folder);
    if (!pipeline.ok()) return pipeline.status().with_context(place);
    return pipeline;
  } catch (const Json::exception& error) {
    return invalid(place + kManifestFile + " is no manifest of a package: " + error.what());
  } catch (const fs::filesystem_error& error) {
    return unavailable(place + error.what());
  }
}

}  // namespace sluice::cli
