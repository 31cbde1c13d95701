// sluice inspect
#include "tools/sluice/commands.h"
#include "tools/sluice/fixed_dims.h"
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
  const auto dims = fixed_dims(arguments.model, arguments.shapes);
  if (!dims.ok()) {
    print_error(dims.status().message());
    return exit_code_of(dims.status());
  }
  ModelFacts facts = facts_of(**model, *dims);
  facts.backends = ask_backends(arguments.model, *dims);
  return print_result(arguments.json ? facts_json(facts) : facts_text(facts));
}

}  // namespace sluice::cli
