// sluice run
#include <memory>
#include <optional>
#include <string>

#include "framework/core/suggest.h"
#include "runtime/atomic_file.h"
#include "runtime/builtin.h"
#include "runtime/logging.h"
#include "runtime/pipeline.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/output.h"
#include "tools/sluice/progress.h"

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

Status write_report(const RunArguments& arguments, const RunReport& report) {
  if (arguments.report.empty()) return {};
  return replace_file(arguments.report, to_json(report)).with_context("--report: ");
}

Result<std::unique_ptr<Logging>> start_logging(const RunArguments& arguments) {
  const LogLevel level = arguments.quiet ? LogLevel::kError : *parse_log_level(arguments.log_level);
  return Logging::start({level, arguments.log_file});
}

Status run_to_its_end(Pipeline& pipeline, const RunArguments& arguments, Interrupts& interrupts) {
  RunOptions options;
  options.frames = arguments.frames;
  options.duration_s = arguments.duration_s;
  options.trace = arguments.trace;
  SLUICE_RETURN_IF_ERROR(pipeline.start(options));
  interrupts.on_first([&pipeline] { pipeline.stop(); });
  {
    Progress progress(arguments.quiet);
    while (!pipeline.wait_for(kProgressPeriod)) {
      if (progress.active()) progress.show(pipeline.report());
    }
  }
  Status status = pipeline.wait();
  interrupts.on_first(nullptr);
  const RunReport report = pipeline.report();
  if (!arguments.quiet) print_note(summary_line(report));
  const Status written = write_report(arguments, report);
  if (!written.ok()) print_error(written.message());
  return status.ok() ? written : status;
}

}  // namespace

int execute(const RunArguments& arguments) {
  Interrupts interrupts;
  if (!arguments.report.empty() && arguments.report == arguments.trace) {
    print_error("--report and --trace name the same file " + in_quotes(arguments.report));
    return kWrongUse;
  }
  const auto logging = start_logging(arguments);
  if (!logging.ok()) {
    print_error(logging.status().message());
    return kRunFailed;
  }
  LoadIssues issues;
  std::optional<Pipeline> pipeline =
      Pipeline::load(arguments.file, builtin_registry(), {arguments.set, arguments.pace}, issues);
  if (pipeline) refuse_app_ends(pipeline->plan(), issues);
  if (const Exit code = print_issues(issues, arguments.quiet); code != kDone) return code;
  if (interrupts.interrupted()) return kDone;
  const Status status = run_to_its_end(*pipeline, arguments, interrupts);
  if (status.ok() || (interrupts.interrupted() && status.code() == Code::kCancelled)) return kDone;
  print_error(status.message());
  return exit_code_of(status);
}

}  // namespace sluice::cli
