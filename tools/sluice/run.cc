// sluice run
#include <fmt/format.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "framework/core/suggest.h"
#include "runtime/builtin.h"
#include "runtime/logging.h"
#include "runtime/pipeline.h"
#include "runtime/selection_record.h"
#include "runtime/snapshot.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/output.h"
#include "tools/sluice/package_manifest.h"
#include "tools/sluice/progress.h"
#include "tools/sluice/ranges_file.h"
#include "tools/sluice/recording.h"
#include "tools/sluice/result_files.h"

namespace sluice::cli {
namespace {

constexpr double kProgressPeriod = 0.5;  // seconds

// An application's ends have nobody at the other side here.
void refuse_app_ends(const Plan& plan, LoadIssues& issues) {
  for (const NodePlan& node : plan.nodes) {
    const std::string& type = node.declaration->type;
    if (type != "app_source" && type != "app_sink") continue;
    issues.issues.push_back(
        {node.mark, "node " + in_quotes(node.id) + ": " + type +
                        " is the end of a program that uses the C++ API; `sluice run` has none"});
  }
}

// Who uses the file of that name in the run: reads it, or writes it.
std::vector<std::string> users_of(const std::string& file, const Plan& plan, const std::string& pipeline) {
  std::vector<std::string> out;
  if (file == real_name(pipeline)) out.emplace_back("the pipeline");
  for (const NodePlan& node : plan.nodes) {
    for (const OptionDeclaration& option : node.declaration->options) {
      const bool path = option.kind == OptionKind::kPathOut || option.kind == OptionKind::kPath ||
                        option.kind == OptionKind::kUri || option.kind == OptionKind::kTextsOrPath;
      if (!path || !node.options->has(option.name)) continue;
      const auto* text = std::get_if<std::string>(&node.options->value(option.name).data);
      if (text && real_name(*text) == file) out.push_back("node " + in_quotes(node.id));
    }
  }
  const Options device(plan.device);
  const bool profile = device.has("profile") && is_profile_file(device.text("profile")) &&
                       real_name(device.text("profile")) == file;
  const bool trace = device.has("trace") && real_name(recording_file(device.text("trace"))) == file;
  if (profile || trace) out.emplace_back("the device");
  for (const ModelPlan& model : plan.models) {
    bool uses = real_name(model.path) == file;
    for (const ModelPlan::Variant& variant : model.variants) uses = uses || real_name(variant.path) == file;
    if (uses) out.push_back("model " + in_quotes(model.name));
  }
  return out;
}

// What is written at the end would replace what a sink has written, or what the run reads.
void refuse_shared_outputs(const Plan& plan, const RunArguments& arguments, LoadIssues& issues) {
  const Recording::Files recording = Recording::files(arguments.record);
  const std::pair<const char*, const std::string&> outputs[] = {
      {"--report", arguments.report},
      {"--record", recording.readings},
      {"--record", recording.report},
      {"--trace", arguments.trace},
      {"--collect-ranges", arguments.collect_ranges},
      {"--log-file", arguments.log_file}};
  for (const auto& [option, path] : outputs) {
    std::error_code error;
    const bool device = std::filesystem::is_character_file(path, error);  // /dev/null is nobody's
    if (path.empty() || device) continue;
    const std::string use = path == "-" ? " writes to standard output too" : " uses that file";
    for (const std::string& user : users_of(real_name(path), plan, arguments.file)) {
      issues.issues.push_back(
          {{}, fmt::format("{} is {}, but {}{}", option, path_in_quotes(path), user, use)});
    }
  }
}

ResultFile report_file(const RunArguments& arguments) { return {"--report", arguments.report, true}; }
ResultFile ranges_file(const RunArguments& arguments) {
  return {"--collect-ranges", arguments.collect_ranges};
}

Status check_names(const RunArguments& arguments) {
  const Recording::Files recording = Recording::files(arguments.record);
  const ResultFile files[] = {report_file(arguments),
                              {"--trace", arguments.trace},
                              ranges_file(arguments),
                              {"--record", arguments.record},
                              {"--record", recording.readings},
                              {"--record", recording.report},
                              {"--log-file", arguments.log_file}};
  std::vector<InputFile> inputs = files_of_device(arguments.device, arguments.timings);
  inputs.push_back({"the pipeline", arguments.file});
  return check_result_names(files, inputs);
}

Result<std::unique_ptr<Logging>> start_logging(const RunArguments& arguments) {
  const LogLevel level = arguments.quiet ? LogLevel::kError : *parse_log_level(arguments.log_level);
  return Logging::start({level, arguments.log_file});
}

// The first signal stops the pipeline, as long as this lives.
class StopOnSignal {
 public:
  StopOnSignal(Interrupts& interrupts, Pipeline& pipeline) : interrupts_(interrupts) {
    interrupts_.on_first([&pipeline] { pipeline.stop(); });
  }
  ~StopOnSignal() { interrupts_.on_first(nullptr); }
  StopOnSignal(const StopOnSignal&) = delete;

 private:
  Interrupts& interrupts_;
};

// Starts, shows progress, waits for the end.
Status start_and_wait(Pipeline& pipeline, const RunArguments& arguments, Recording& recording,
                      ValueRanges& ranges, Interrupts& interrupts) {
  const ResultFile at_the_end[] = {ranges_file(arguments)};
  SLUICE_RETURN_IF_ERROR(check_result_places(at_the_end));
  RunOptions options;
  options.frames = arguments.frames;
  options.duration_s = arguments.duration_s;
  options.trace = arguments.trace;
  options.device = arguments.device;
  options.timings = arguments.timings;
  options.ambient_c = arguments.ambient_c;
  if (!arguments.record.empty()) {
    SLUICE_RETURN_IF_ERROR(recording.open(arguments.record, arguments.force));
    options.every_second = [&] { recording.add(pipeline.snapshot()); };
    options.record = [&](const std::string& line) { recording.add_selection(line); };
  }
  if (!arguments.collect_ranges.empty()) options.ranges = &ranges;
  const StopOnSignal stop_on_signal(interrupts, pipeline);
  if (const Status status = pipeline.start(options); !status.ok()) {
    if (status.code() == Code::kCancelled && !arguments.quiet) print_note(summary_line(pipeline.report()));
    return status;
  }
  recording.begin();
  {
    Progress progress(arguments.quiet);
    while (!pipeline.wait_for(kProgressPeriod)) {
      if (progress.active()) progress.show(pipeline.report());
    }
  }
  const Status status = pipeline.wait();
  if (!arguments.quiet) print_note(summary_line(pipeline.report()));
  return status;
}

Status write_ranges(const RunArguments& arguments, const std::vector<TensorRange>& ranges) {
  if (ranges.empty())
    print_note("warning: --collect-ranges: no model ran, so " + in_quotes(arguments.collect_ranges) +
               " holds no range");
  return write_result(ranges_file(arguments), ranges_json(ranges));
}

// The report is written whatever became of the run, also when it could not start.
Status run_to_its_end(Pipeline& pipeline, const RunArguments& arguments, ValueRanges& ranges,
                      Interrupts& interrupts) {
  Recording recording;
  Status status = start_and_wait(pipeline, arguments, recording, ranges, interrupts);
  if (status.ok() && !arguments.collect_ranges.empty()) status = write_ranges(arguments, ranges.ranges());
  RunReport report = pipeline.report();
  // What failed outside of the pipeline (a device that cannot be simulated, a recording that is in the way)
  // is unknown to its report.
  if (!status.ok() && report.status == RunStatus::kCompleted) {
    report.status = RunStatus::kFailed;
    report.error = status.message();
  }
  // The first failure is the caller's to print.
  for (const Status& one : {write_result(report_file(arguments), to_json(report)), recording.close(report)}) {
    if (one.ok()) continue;
    if (status.ok()) {
      status = one;
    } else {
      print_error(one.message());
    }
  }
  return status;
}

// A package is checked before anything of it is used; what was compiled for it is found beside it.
Result<RunArguments> unpacked(RunArguments arguments) {
  std::error_code error;
  if (!std::filesystem::is_directory(arguments.file, error)) return arguments;
  const auto artifacts = std::filesystem::absolute(arguments.file, error) / "artifacts";
  SLUICE_ASSIGN(arguments.file, verify_package(arguments.file));
  if (std::filesystem::is_directory(artifacts, error)) ::setenv("SLUICE_ARTIFACTS", artifacts.c_str(), 0);
  return arguments;
}

// What is wrong with the command itself.
Status check(const RunArguments& arguments) {
  if (!arguments.collect_ranges.empty() && arguments.device != "real") {
    return invalid("--collect-ranges: on the device " + in_quotes(arguments.device) +
                   " no model need run, so there may be no values; leave out --device");
  }
  SLUICE_RETURN_IF_ERROR(check_names(arguments));
  if (!arguments.device.starts_with("sim:") && (!arguments.timings.empty() || arguments.ambient_c))
    return invalid("--timings and --ambient are for simulated devices (--device sim:PROFILE)");
  return {};
}

// A log that is not whole is a failure of a run that had none.
int close_log(Logging& logging, int code) {
  const Status closed = logging.close();
  if (closed.ok()) return code;
  print_error("--log-file: " + closed.message());
  return code == kDone ? int{kRunFailed} : code;
}

int run_logged(const RunArguments& arguments, Logging& logging, Interrupts& interrupts) {
  LoadIssues issues;
  const auto ranges = std::make_unique<ValueRanges>();  // outlives the pipeline
  std::optional<Pipeline> pipeline =
      Pipeline::load(arguments.file, builtin_registry(), {arguments.set, arguments.pace}, issues);
  if (pipeline) {
    refuse_app_ends(pipeline->plan(), issues);
    refuse_shared_outputs(pipeline->plan(), arguments, issues);
  }
  if (const Exit code = print_issues(issues, arguments.quiet); code != kDone) return code;
  const ResultFile report[] = {report_file(arguments)};
  if (const Status place = check_result_places(report); !place.ok()) {
    print_error(place.message());
    return exit_code_of(place);
  }
  const Status status = run_to_its_end(*pipeline, arguments, *ranges, interrupts);
  if (status.ok() || (interrupts.interrupted() && status.code() == Code::kCancelled)) return kDone;
  print_error(status.message());
  if (pipeline->abandoned()) {
    // A thread that hangs would use what the end of the process destroys.
    const int code = close_log(logging, exit_code_of(status));
    std::fflush(stdout);
    std::_Exit(code);
  }
  return exit_code_of(status);
}

int fail(const Status& status) {
  print_error(status.message());
  return exit_code_of(status);
}

}  // namespace

int execute(const RunArguments& given) {
  Interrupts interrupts;
  const auto arguments = unpacked(given);
  if (!arguments.ok()) return fail(arguments.status());
  if (const Status right = check(*arguments); !right.ok()) return fail(right);
  const auto logging = start_logging(*arguments);
  if (!logging.ok()) return fail(logging.status());
  return close_log(**logging, run_logged(*arguments, **logging, interrupts));
}

}  // namespace sluice::cli
