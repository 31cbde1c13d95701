// sluice fit
#include "simulation/fit.h"

#include <filesystem>

#include "framework/core/suggest.h"
#include "runtime/atomic_file.h"
#include "runtime/readings_trace.h"
#include "runtime/selection_record.h"
#include "simulation/profile_reader.h"
#include "simulation/profile_writer.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"
#include "tools/sluice/result_files.h"

namespace sluice::cli {
namespace {

// --force replaces an earlier profile, never what the profile is made from.
Status check_names(const FitArguments& arguments) {
  const ResultFile profile[] = {{"-o", arguments.output}};
  std::vector<InputFile> inputs;
  if (is_profile_file(arguments.base)) inputs.push_back({"--base", arguments.base});
  for (const std::string& trace : arguments.traces) inputs.push_back({"TRACE", recording_file(trace)});
  return check_result_names(profile, inputs);
}

// The profile as text; kInvalid when `--device` would refuse it.
Result<std::string> checked_text(const DeviceProfile& profile, const std::string& path) {
  std::string text = profile_yaml(profile);
  if (const ParsedProfile read = parse_profile(text, path); !read.profile)
    return invalid("the fit gives no device that there can be, so no profile is written: " +
                   read.status().message() + "; record longer, with load and pauses, or give --ambient");
  return text;
}

Result<std::string> fit_and_write(const FitArguments& arguments) {
  SLUICE_RETURN_IF_ERROR(check_names(arguments));
  std::error_code unknown;  // what cannot be looked up cannot be written: the next check says so
  if (!arguments.force && std::filesystem::exists(arguments.output, unknown))
    return failed("-o: " + path_in_quotes(arguments.output) + " exists; --force replaces it");
  SLUICE_RETURN_IF_ERROR(check_replaceable(arguments.output).with_context("-o: "));
  SLUICE_ASSIGN(const DeviceProfile base, load_profile(arguments.base));
  std::vector<RecordedRun> traces;
  for (const std::string& path : arguments.traces) {
    SLUICE_ASSIGN(RecordedRun trace, read_trace(recording_file(path)));
    traces.push_back(std::move(trace));
  }
  SLUICE_ASSIGN(const FittedDevice fitted, fit_device(traces, arguments.ambient_c));
  const std::string name = std::filesystem::path(arguments.output).stem().string();
  SLUICE_ASSIGN(const std::string text, checked_text(to_profile(fitted, base, name), arguments.output));
  SLUICE_RETURN_IF_ERROR(replace_file(arguments.output, text).with_context("-o: "));
  return describe(fitted, base);
}

}  // namespace

int execute(const FitArguments& arguments) {
  const Result<std::string> words = fit_and_write(arguments);
  if (words.ok()) return print_result(*words);
  print_error(words.status().message());
  return exit_code_of(words.status());
}

}  // namespace sluice::cli
