// sluice plan
#include "runtime/builtin.h"
#include "runtime/pipeline.h"
#include "runtime/render_plan.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"

namespace sluice::cli {

int execute(const PlanArguments& arguments) {
  LoadIssues issues;
  auto pipeline = Pipeline::load(arguments.file, builtin_registry(), {arguments.set, arguments.pace}, issues);
  if (const Exit code = print_issues(issues); code != kDone) return code;
  if (arguments.probe) {
    if (const Status status = pipeline->probe(); !status.ok()) {
      print_error(status.message());
      return exit_code_of(status);
    }
  }
  return print_result(render_plan(pipeline->plan(), *parse_plan_format(arguments.format)));
}

}  // namespace sluice::cli
