// Exit codes, results on stdout, messages on stderr: the same for every command (contract section 4).
#pragma once

#include <string_view>

#include "framework/core/status.h"
#include "runtime/pipeline.h"

namespace sluice::cli {

enum Exit : int {
  kDone = 0,
  kRunFailed = 1,
  kWrongUse = 2,   // wrong usage or invalid file
  kCannotUse = 3,  // a model, backend or device
  kMissed = 4,     // it ran, but a demanded threshold was missed
  kInterrupted = 130,
};

Exit exit_code_of(const Status& status);

// The whole result of a command; kRunFailed, with the reason on stderr, when stdout cannot take it.
Exit print_result(std::string_view text);

// "sluice: error: MESSAGE", one line per line of the message, without passwords.
void print_error(std::string_view message);
void print_note(std::string_view message);  // "sluice: MESSAGE"

// "FILE:LINE:COLUMN: error: MESSAGE" each; without warnings when `quiet`. The exit code they call for: 0
// without errors.
Exit print_issues(const LoadIssues& issues, bool quiet = false);

}  // namespace sluice::cli
