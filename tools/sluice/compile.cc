// sluice compile
#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "backends/backends.h"
#include "framework/core/clock.h"
#include "framework/core/suggest.h"
#include "framework/core/temporary_folder.h"
#include "inference/backend_options.h"
#include "inference/model_file.h"
#include "inference/onnx/model_header.h"
#include "inference/sha256.h"
#include "runtime/atomic_file.h"
#include "runtime/logging.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/copied_files.h"
#include "tools/sluice/fixed_dims.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/output.h"
#include "tools/sluice/output_file.h"
#include "tools/sluice/result_files.h"
#include "tools/sluice/soc.h"

namespace sluice::cli {
namespace {

namespace fs = std::filesystem;

// One file to write.
struct Target {
  std::string soc;  // empty: the backend's choice
  std::string path;
};

// "face.onnx" for one chip, "face.sm8550.onnx" for each of several.
std::vector<Target> targets(const CompileArguments& arguments) {
  if (arguments.socs.empty()) return {{"", arguments.output}};
  if (arguments.socs.size() == 1) return {{arguments.socs[0], arguments.output}};
  std::vector<Target> out;
  out.reserve(arguments.socs.size());
  const fs::path path(arguments.output);
  for (const std::string& soc : arguments.socs)
    out.push_back({soc, path.parent_path() / (path.stem().string() + "." + soc + path.extension().string())});
  return out;
}

// What is wrong with the command itself.
Status check(const CompileArguments& arguments) {
  const std::vector<std::string> names = backend_names();
  if (std::ranges::find(names, arguments.backend) == names.end())
    return invalid(fmt::format("--backend is '{}'{}", arguments.backend, allowed(arguments.backend, names)));
  for (const std::string& soc : arguments.socs) {
    SLUICE_RETURN_IF_ERROR(check_soc(soc));
    if (std::ranges::count(arguments.socs, soc) > 1) return invalid("--soc names '" + soc + "' twice");
  }
  if (!arguments.socs.empty() && arguments.backend != "htp")
    return invalid("--soc names chips of backend 'htp'; leave it out");
  if (arguments.tune && arguments.backend != "gpu")
    return invalid("--tune measures kernels of backend 'gpu'; leave it out");
  SLUICE_RETURN_IF_ERROR(check_model_ending("-o", arguments.output));
  for (const Target& target : targets(arguments)) {
    if (real_name(target.path) == real_name(arguments.model))
      return invalid("-o and MODEL name the same file '" + target.path + "'");
    std::error_code unknown;  // what cannot be looked up cannot be written: the next check says so
    if (!arguments.force && fs::exists(target.path, unknown))
      return failed("'" + target.path + "' exists; use --force to replace it");
    SLUICE_RETURN_IF_ERROR(check_replaceable(target.path).with_context("-o: "));
  }
  return {};
}

// What is compiled for the gpu is the model itself, whose weights may lie beside it.
Status copy_weights(const CompileArguments& arguments, const std::string& bytes, const std::string& to,
                    bool only_check) {
  SLUICE_ASSIGN(const onnx::ModelHeader header, onnx::read_header(bytes, to));
  std::set<std::string> places;
  for (const onnx::ExternalData& data : header.external) places.insert(data.location);
  for (const std::string& place : places) {
    const fs::path source = fs::path(folder_of(arguments.model)) / place,
                   target = fs::path(folder_of(to)) / place;
    if (real_name(source.string()) == real_name(target.string())) continue;
    if (only_check && !arguments.force && fs::exists(target))
      return failed("the model's weights go to '" + target.string() +
                    "', which exists; use --force to replace it");
    if (only_check) continue;
    SLUICE_RETURN_IF_ERROR(copy_files(source, target));
    print_note("the model's weights are in '" + target.string() + "'");
  }
  return {};
}

Status compile_one(Backend& backend, const CompileArguments& arguments, const Target& target) {
  SessionRequest request;
  request.model.name = arguments.model;
  request.model.path = arguments.model;
  SLUICE_ASSIGN(request.model.dims, fixed_dims(arguments.model, arguments.shapes));
  request.backend = arguments.backend;
  request.options = with_defaults(arguments.backend, {});
  if (!target.soc.empty()) request.options["soc"] = {target.soc};
  if (request.options.contains("precision")) request.options["precision"] = {arguments.precision};
  if (arguments.tune) request.options["tune"] = {true};
  request.on_fallback = "error";
  const auto compiled = backend.compile(request);
  if (!compiled.ok()) return Status(compiled.status().code(), with_shape_option(compiled.status().message()));
  const std::string& bytes = *compiled;
  SLUICE_RETURN_IF_ERROR(copy_weights(arguments, bytes, target.path, true));
  SLUICE_RETURN_IF_ERROR(copy_weights(arguments, bytes, target.path, false));
  SLUICE_RETURN_IF_ERROR(replace_file(target.path, bytes));
  const std::string chip = target.soc.empty() ? "" : " for " + target.soc;
  return print_result(fmt::format("{}:{} {} bytes, sha256 {}\n", target.path, chip, bytes.size(),
                                  sha256_hex(bytes))) == kDone
             ? Status{}
             : failed("the result could not be printed");
}

Status compile_all(const CompileArguments& arguments) {
  SLUICE_RETURN_IF_ERROR(check(arguments));
  SteadyClock clock;
  for (const auto& backend : make_backends(clock)) {
    if (backend->name() != arguments.backend) continue;
    SLUICE_RETURN_IF_ERROR(backend->available());
    for (const Target& target : targets(arguments))
      SLUICE_RETURN_IF_ERROR(compile_one(*backend, arguments, target));
  }
  return {};
}

}  // namespace

int execute(const CompileArguments& arguments) {
  Interrupts interrupts;
  interrupts.on_first([] { end_without_temporaries(kDone); });
  const auto logging = Logging::start({LogLevel::kWarning, {}});
  const Status status = compile_all(arguments);
  if (status.ok()) return kDone;
  print_error(status.message());
  return exit_code_of(status);
}

}  // namespace sluice::cli
