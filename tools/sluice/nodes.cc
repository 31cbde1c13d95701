// sluice nodes, sluice schema
#include <string>
#include <vector>

#include "framework/core/suggest.h"
#include "framework/node/planned_types.h"
#include "runtime/builtin.h"
#include "runtime/describe_nodes.h"
#include "runtime/schema.h"
#include "tools/sluice/commands.h"
#include "tools/sluice/output.h"

namespace sluice::cli {

int execute(const NodesArguments& arguments) {
  const Registry registry = builtin_registry();
  if (arguments.type.empty()) return print_result(list_nodes(registry));
  if (const NodeDeclaration* const type = registry.find(arguments.type))
    return print_result(describe_node(*type));
  if (is_planned_type(arguments.type)) {
    print_error("node type " + in_quotes(arguments.type) + " is not in this version");
    return kWrongUse;
  }
  std::vector<std::string> names;
  for (const NodeDeclaration* type : registry.all()) names.push_back(type->type);
  print_error("there is no node type " + in_quotes(arguments.type) + allowed(arguments.type, names));
  return kWrongUse;
}

int execute(const SchemaArguments&) { return print_result(make_schema(builtin_registry())); }

}  // namespace sluice::cli
