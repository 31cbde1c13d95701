// sluice inspect
#include "tools/sluice/commands.h"
#include "tools/sluice/model_facts.h"
#include "tools/sluice/output.h"

namespace sluice::cli {

int execute(const InspectArguments& arguments) {
  ModelRequest request;
  request.name = arguments.model;
  request.path = arguments.model;
  const auto model = check_model(request);
  if (!model.ok()) {
    print_error(model.status().message());
    return exit_code_of(model.status());
  }
  ModelFacts facts = facts_of(**model);
  facts.backends = ask_backends(arguments.model);
  return print_result(arguments.json ? facts_json(facts) : facts_text(facts));
}

}  // namespace sluice::cli
