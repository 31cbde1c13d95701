// sluice thermal
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "runtime/logging.h"
#include "runtime/thermal/chart.h"
#include "runtime/thermal/thermal_html.h"
#include "runtime/thermal/thermal_json.h"
#include "runtime/thermal/thermal_text.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/interrupts.h"
#include "tools/sluice/output.h"
#include "tools/sluice/result_files.h"

namespace sluice::cli {
namespace {

ThermalOptions options_of(const ThermalArguments& arguments) {
  ThermalOptions out;
  out.file = arguments.file;
  out.set = arguments.set;
  out.backends = arguments.backends;
  out.pace = arguments.pace;
  out.device = arguments.device;
  out.timings = arguments.timings;
  out.ambient_c = arguments.ambient_c;
  out.duration_s = arguments.duration_s;
  out.cool_down_s = arguments.cool_down_s;
  out.recovery_s = arguments.recovery_s;
  out.policies = arguments.policies;
  out.repeat = arguments.repeat;
  return out;
}

// One line of the test as it goes on, where stderr is a terminal.
void show(const ThermalReport& report, const ThermalRun& run, bool quiet) {
  if (quiet || ::isatty(STDERR_FILENO) != 1) return;
  const ThermalWindow& w = run.windows.back();
  std::fputs(
      fmt::format("\r\x1b[K{} {}: {}", run.policy, time_text(w.t_s), w.load ? "load" : "recovery").c_str(),
      stderr);
  if (w.fps) std::fputs(fmt::format(", {:.1f} fps", *w.fps).c_str(), stderr);
  if (w.t_s >= report.duration_s) std::fputs("\r\x1b[K", stderr);
  std::fflush(stderr);
}

std::array<ResultFile, 3> result_files(const ThermalArguments& arguments) {
  return {{{"--json", arguments.json, true}, {"--csv", arguments.csv}, {"--report", arguments.report}}};
}

// All files that were asked for; the first failure, and the others all the same.
Status write_files(const ThermalArguments& arguments, const ThermalReport& report) {
  Status out;
  const auto files = result_files(arguments);
  const auto write = [&out](const ResultFile& file, const std::string& text) {
    const Status status = write_result(file, text);
    if (out.ok() && !status.ok()) out = status;
  };
  write(files[0], thermal_json(report));
  write(files[1], thermal_csv(report));
  if (!arguments.report.empty()) write(files[2], thermal_html(report));
  return out;
}

// What is wrong with the command itself.
Status check_names(const ThermalArguments& arguments) {
  if (arguments.device == "real" && (!arguments.timings.empty() || arguments.ambient_c))
    return invalid("--timings and --ambient are for simulated devices (--device sim:PROFILE)");
  if (arguments.resume && arguments.json == "-")
    return invalid("--resume goes on with the test in the --json file, but --json is '-'");
  std::vector<InputFile> inputs = files_of_device(arguments.device, arguments.timings);
  inputs.push_back({"the pipeline", arguments.file});
  return check_result_names(result_files(arguments), inputs);
}

int fail(const Status& status) {
  print_error(status.message());
  return exit_code_of(status);
}

int compare(const ThermalArguments& arguments) {
  const ResultFile page{"--report", arguments.report};
  const InputFile inputs[] = {{"--compare", arguments.compare[0]}, {"--compare", arguments.compare[1]}};
  if (const Status names = check_result_names({&page, 1}, inputs); !names.ok()) return fail(names);
  const auto a = read_thermal_json(arguments.compare[0]), b = read_thermal_json(arguments.compare[1]);
  for (const Status& status : {a.status(), b.status()}) {
    if (!status.ok()) return fail(status);
  }
  if (!arguments.report.empty()) {
    const Status written = write_result(page, compare_html(*a, *b));
    if (!written.ok()) {
      print_error(written.message());
      return kRunFailed;
    }
  }
  return print_result(compare_text(*a, *b));
}

// Exit 4 with a line for each threshold that was missed.
int judge(const ThermalArguments& arguments, const ThermalReport& report) {
  const ThermalThresholds thresholds{arguments.min_stability, arguments.min_fps, arguments.max_p95_ms,
                                     arguments.max_skin_c};
  std::vector<std::string> lines;
  for (const ThermalRun& run : report.runs) {
    for (std::string& line : missed(run, thresholds)) lines.push_back(std::move(line));
  }
  for (std::string& line : disagreements(report.runs)) lines.push_back(std::move(line));
  for (const std::string& line : lines) print_error(line);
  return lines.empty() ? kDone : kMissed;
}

Status resume_from(ThermalTest& test, const std::string& path) {
  std::error_code unknown;
  if (!std::filesystem::exists(path, unknown)) return {};
  SLUICE_ASSIGN(ThermalReport earlier, read_thermal_json(path));
  if (earlier.pipeline_sha256.empty())
    print_note(
        "--resume: the earlier result is of an older version and has no hash of its pipeline and profile; "
        "only their names can be compared");
  return test.resume(std::move(earlier));
}

}  // namespace

int execute(const ThermalArguments& arguments) {
  if (!arguments.compare.empty()) return compare(arguments);
  if (const Status names = check_names(arguments); !names.ok()) return fail(names);
  Interrupts interrupts;
  const auto logging = Logging::start({arguments.quiet ? LogLevel::kError : LogLevel::kWarning, ""});
  if (!logging.ok()) return fail(logging.status());
  // Each window is written at once: an interruption or a power cut loses none.
  ThermalTest test(options_of(arguments), [&](const ThermalReport& report, const ThermalRun& run) -> Status {
    show(report, run, arguments.quiet);
    if (report.simulated || arguments.json == "-") return {};
    return write_result(result_files(arguments)[0], arguments.json.empty() ? "" : thermal_json(report));
  });
  LoadIssues issues;
  test.check(issues);
  if (const Exit code = print_issues(issues, arguments.quiet); code != kDone) return code;
  // A place that cannot be written is found before an hour of load, not after it.
  if (const Status places = check_result_places(result_files(arguments)); !places.ok()) return fail(places);
  if (arguments.resume) {
    if (const Status resumed = resume_from(test, arguments.json); !resumed.ok()) return fail(resumed);
  }
  if (const Status files = test.check_files(); !files.ok()) return fail(files);
  interrupts.on_first([&test] { test.stop(); });
  const Status status = test.run();
  interrupts.on_first(nullptr);
  const Status written = write_files(arguments, test.report());
  if (!status.ok()) return fail(status);
  if (!written.ok()) return fail(written);
  if (arguments.json != "-") {  // else the document is all there is on stdout
    if (const int code = print_result(thermal_text(test.report())); code != kDone) return code;
  }
  if (test.stopped()) {
    print_note("interrupted; what there is has been written" +
               std::string(arguments.json.empty() ? "" : ", --resume goes on"));
    return kDone;
  }
  return judge(arguments, test.report());
}

}  // namespace sluice::cli
