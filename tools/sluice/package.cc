// sluice package
#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "backends/cache/unkept.h"
#include "framework/core/suggest.h"
#include "framework/core/temporary_folder.h"
#include "runtime/atomic_file.h"
#include "runtime/builtin.h"
#include "runtime/logging.h"
#include "runtime/pipeline.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/copied_files.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/output.h"
#include "tools/sluice/package_contents.h"
#include "tools/sluice/package_manifest.h"
#include "tools/sluice/package_models.h"
#include "tools/sluice/plain_secrets.h"
#include "tools/sluice/result_files.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// Where the package grows: beside the result, so that it can be renamed.
Result<TemporaryFolder> make_growing(const fs::path& result) {
  auto folder = TemporaryFolder::make_beside(result.string());
  if (!folder.ok())
    return failed("no folder can be made beside " + path_in_quotes(result.string()) + ": " +
                  folder.status().message());
  std::error_code error;
  fs::permissions(folder->path(),
                  fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec |
                      fs::perms::others_read | fs::perms::others_exec,
                  error);
  return folder;
}

// `-o` may replace a package, never anything else.
Status may_replace(const PackageArguments& arguments) {
  const fs::path result(arguments.output);
  std::error_code error;
  if (!fs::exists(fs::symlink_status(result, error))) return {};
  if (!arguments.force)
    return failed(path_in_quotes(arguments.output) + " exists; write --force to replace it");
  const bool package = fs::is_directory(fs::symlink_status(result, error)) &&
                       (fs::is_empty(result, error) || fs::exists(result / kManifestFile, error));
  return package ? Status{}
                 : failed(path_in_quotes(arguments.output) + " is no package (no " + kManifestFile +
                          "); --force does not replace it");
}

// The package appears whole, or not at all; an old one changes places with it and goes with the folder. What
// came to its place while it grew is replaced as little as what was there before.
Status become(TemporaryFolder folder, const PackageArguments& arguments) {
  const fs::path result(arguments.output);
  SLUICE_RETURN_IF_ERROR(may_replace(arguments));
  const unsigned how = arguments.force ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (::renameat2(AT_FDCWD, folder.path().c_str(), AT_FDCWD, result.c_str(), how) == 0) {
    if (!arguments.force) folder.keep();
    return {};
  }
  if (errno == EEXIST)
    return failed(path_in_quotes(arguments.output) + " exists; write --force to replace it");
  // Nothing is there, or the file system cannot exchange; an interrupt may have taken the new one away.
  std::error_code error;
  if (!fs::exists(folder.path(), error)) return failed("the folder '" + folder.path() + "' is gone");
  const fs::path old = folder.path() + ".old";
  const bool replaces = fs::exists(result, error);
  if (replaces) fs::rename(result, old, error);
  if (!error) fs::rename(folder.path(), result, error);
  if (error) {
    std::error_code ignored;
    if (replaces && fs::exists(old, ignored)) fs::rename(old, result, ignored);
    return failed(path_in_quotes(result.string()) + " cannot be put there: " + error.message());
  }
  folder.keep();
  fs::remove_all(old, error);
  return {};
}

// A folder that is copied into itself has no end.
Status check_place(const PackageContents& contents, const std::string& output) {
  const std::string result = real_name(output);
  for (const auto& [from, to] : contents.files) {
    std::error_code error;
    const std::string folder = real_name(from);
    if (!fs::is_directory(folder, error)) continue;
    if (result != folder && !result.starts_with(folder == "/" ? folder : folder + "/")) continue;
    return invalid(
        fmt::format("-o is {}, which lies in the folder {} that the package takes along; name a place "
                    "outside of it",
                    path_in_quotes(output), path_in_quotes(from)));
  }
  return {};
}

Status copy_others(const PackageContents& contents, const fs::path& folder) {
  for (const std::string& output : contents.outputs) {
    if (const std::error_code error = make_folders(folder / output))
      return failed(path_in_quotes((folder / output).string()) + " cannot be made: " + error.message());
  }
  for (const auto& [from, to] : contents.files) SLUICE_RETURN_IF_ERROR(copy_files(from, folder / to));
  return {};
}

// Without a byte order mark, which nothing may be put before.
std::string text_of(const std::string& file) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  std::ifstream source(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(source), {}};
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

Status write_pipeline(const std::string& file, const std::string& name, const PackageContents& contents,
                      const fs::path& folder) {
  const std::string text = text_of(file);
  auto rewritten = rewrite_paths(text, contents.paths);
  if (!rewritten.ok()) return rewritten.status().with_context(file + ":");
  const std::string written = with_name(*rewritten, name);
  if (const ParsedSpec again = parse_spec_text(written); !again.ok()) {
    const Status why = LoadIssues{again.spec.file, again.issues}.status();
    return failed(file + ": with the package's paths it cannot be read any more, so there is no package; " +
                  "write its paths in quotes: " + why.message());
  }
  return replace_file((folder / kPackagedPipeline).string(), written);
}

// Chips that infer nodes with htp name; empty: none, so nothing can be compiled for them here.
std::vector<std::string> socs_of(const Plan& plan) {
  std::vector<std::string> out;
  for (const NodePlan& node : plan.nodes) {
    if (node.declaration->type != "infer") continue;
    const auto backends = node.options->texts("backends");
    if (std::find(backends.begin(), backends.end(), "htp") == backends.end()) continue;
    std::string soc = "auto";
    for (const OptionMap* const map : {&plan.backends, &node.options->all()}) {
      const auto htp = map->find("htp");
      const auto* const keys = htp == map->end() ? nullptr : std::get_if<OptionMap>(&htp->second.data);
      const auto key = keys ? keys->find("soc") : OptionMap::const_iterator{};
      if (keys && key != keys->end() && !key->second.is_null()) soc = std::get<std::string>(key->second.data);
    }
    if (soc != "auto" && std::find(out.begin(), out.end(), soc) == out.end()) out.push_back(soc);
  }
  return out;
}

// The pipeline with test pictures instead of its sources, which need not be there yet.
GraphSpec without_sources(GraphSpec spec, const Registry& registry) {
  for (NodeSpec& node : spec.nodes) {
    const NodeDeclaration* const type = registry.find(node.type);
    if (!type || !type->source) continue;
    node.type = "video_source";
    node.options.data = Value::Map{{"uri", {}, Value{std::string("test:bars"), {}}}};
  }
  return spec;
}

// Opens the sessions once, as a run does, with the package's own cache: what they compile stays there under
// the keys that the run asks for. What cannot be kept there is missing in the package.
Status compile_contexts(const fs::path& folder) {
  const fs::path artifacts = fs::absolute(folder / "artifacts");
  ::setenv("SLUICE_ARTIFACTS", artifacts.c_str(), 1);
  const ParsedSpec parsed = parse_spec_file((folder / kPackagedPipeline).string());
  LoadIssues issues{parsed.spec.file, parsed.issues};
  SLUICE_RETURN_IF_ERROR(issues.status());
  auto pipeline =
      Pipeline::load(without_sources(parsed.spec, builtin_registry()), builtin_registry(), {}, issues);
  SLUICE_RETURN_IF_ERROR(issues.status());
  const UnkeptCollector unkept;
  SLUICE_RETURN_IF_ERROR(pipeline->probe().with_context("compiling: "));
  const std::vector<std::string> reasons = unkept.reasons();
  return reasons.empty() ? Status{} : failed("compiling: " + reasons.front());
}

std::size_t count_files(const fs::path& folder) {
  std::error_code error;
  const fs::directory_iterator entries(folder, error);
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
}

std::string summary(const PackageArguments& arguments, const PackageContents& contents,
                    const std::vector<std::string>& socs, std::size_t contexts) {
  std::string out = fmt::format("{}: {} models, {} other files\n", arguments.output, contents.models.size(),
                                contents.files.size());
  if (!socs.empty())
    out += fmt::format("  compiled for htp on {}: {} contexts\n", comma_list(socs), contexts);
  return out + fmt::format("  copy the folder to the device, then: sluice run {}\n",
                           fs::path(arguments.output).filename().string());
}

Result<std::string> make_package(const PackageArguments& arguments, const PackageContents& contents,
                                 const Plan& plan) {
  SLUICE_RETURN_IF_ERROR(check_place(contents, arguments.output));
  SLUICE_ASSIGN(TemporaryFolder folder, make_growing(fs::path(arguments.output)));
  SLUICE_RETURN_IF_ERROR(package_models(contents.models, folder.path()));
  SLUICE_RETURN_IF_ERROR(copy_others(contents, folder.path()));
  SLUICE_RETURN_IF_ERROR(write_pipeline(arguments.file, plan.name, contents, folder.path()));
  const std::vector<std::string> socs = socs_of(plan);
  if (!socs.empty()) SLUICE_RETURN_IF_ERROR(compile_contexts(folder.path()));
  const std::size_t contexts = count_files(fs::path(folder.path()) / "artifacts");
  SLUICE_RETURN_IF_ERROR(write_manifest(folder.path(), plan.name));
  SLUICE_RETURN_IF_ERROR(become(std::move(folder), arguments));
  return summary(arguments, contents, socs, contexts);
}

}  // namespace

int execute(const PackageArguments& arguments) {
  Interrupts interrupts;
  interrupts.on_first([] { end_without_temporaries(kDone); });
  const auto logging = Logging::start({LogLevel::kWarning, {}});
  if (const Status status = may_replace(arguments); !status.ok()) {
    print_error(status.message());
    return exit_code_of(status);
  }
  const ParsedSpec parsed = parse_spec_file(arguments.file);
  LoadIssues issues;
  const auto pipeline = Pipeline::load(arguments.file, builtin_registry(), {}, issues);
  if (const Exit code = print_issues(issues); code != kDone) return code;
  issues.issues.clear();
  const PackageContents contents = package_contents(parsed.spec, builtin_registry(), issues.issues);
  for (Issue& issue : plain_secrets(text_of(arguments.file))) issues.issues.push_back(std::move(issue));
  if (const Exit code = print_issues(issues); code != kDone) return code;
  const auto package = make_package(arguments, contents, pipeline->plan());
  if (package.ok()) return print_result(*package);
  print_error(package.status().message());
  return exit_code_of(package.status());
}

}  // namespace sluice::cli
