// sluice check
#include <algorithm>
#include <string>

#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"

namespace sluice::cli {

// The worst of all files: an invalid one (2) outweighs a model that cannot be used (3).
int execute(const CheckArguments& arguments) {
  const Registry registry = builtin_registry();
  bool invalid = false, unusable = false;
  std::string valid;
  for (const std::string& file : arguments.files) {
    LoadIssues issues;
    const auto pipeline = Pipeline::load(file, registry, {}, issues);
    const Exit code = print_issues(issues);
    invalid |= code == kWrongUse;
    unusable |= code == kCannotUse;
    if (code == kDone) valid += file + ": valid\n";
  }
  const Exit printed = print_result(valid);
  if (invalid) return kWrongUse;
  return unusable ? kCannotUse : printed;
}

}  // namespace sluice::cli
