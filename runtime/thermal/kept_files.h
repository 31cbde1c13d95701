// Files that the sinks of a plan write and do not replace: a thermal test, whose runs each open them anew,
// looks at them before anything runs.
#pragma once

#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/plan/plan.h"

namespace sluice {

struct KeptFile {
  std::string node;
  std::string path;   // as the option says
  std::string first;  // the first file that comes of it
};

std::vector<KeptFile> kept_files(const Plan& plan);

// Why these runs cannot all write them. kInvalid: they are more than one, or the test goes on with an earlier
// one whose file is there; kFailed: a file is there. Ok: nothing is known against it.
Status check_kept_files(const std::vector<KeptFile>& files, int runs, bool resumed);

}  // namespace sluice
