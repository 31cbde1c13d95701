#include "tools/sluice/output.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "framework/core/redact.h"

namespace sluice::cli {
namespace {

// Of another file's errors, which follow the first line: those say "FILE:LINE:COLUMN: error:" themselves.
bool has_place(std::string_view line) {
  const std::size_t at = line.find(": error: ");
  return at != std::string_view::npos && at > 0 && line[at - 1] >= '0' && line[at - 1] <= '9';
}

void print_lines(std::string_view head, std::string_view message) {
  std::string out;
  while (!message.empty()) {
    const std::size_t end = message.find('\n');
    const std::string_view line = message.substr(0, end);
    out += std::string(!out.empty() && has_place(line) ? "" : head) + redact_url(line) + "\n";
    message.remove_prefix(end == std::string_view::npos ? message.size() : end + 1);
  }
  std::fwrite(out.data(), 1, out.size(), stderr);
}

}  // namespace

Exit exit_code_of(const Status& status) {
  switch (status.code()) {
    case Code::kOk:
      return kDone;
    case Code::kInvalid:
      return kWrongUse;
    case Code::kUnavailable:
      return kCannotUse;
    default:
      return kRunFailed;
  }
}

Exit print_result(std::string_view text) {
  const bool written =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (written) return kDone;
  print_error(std::string("stdout cannot be written: ") + std::strerror(errno));
  return kRunFailed;
}

void print_error(std::string_view message) { print_lines("sluice: error: ", message); }
void print_note(std::string_view message) { print_lines("sluice: ", message); }

Exit print_issues(const LoadIssues& issues, bool quiet) {
  for (const Issue& issue : issues.issues) {
    if (!issue.warning || !quiet) print_lines("", format(issues.file, issue));
  }
  return exit_code_of(issues.status());
}

}  // namespace sluice::cli
