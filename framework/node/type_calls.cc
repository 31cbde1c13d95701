#include "framework/node/type_calls.h"

namespace sluice {

Result<std::unique_ptr<Node>> create_node(const NodeDeclaration& type) {
  if (!type.create) return invalid("type '" + type.type + "' cannot run: its declaration has no create()");
  SLUICE_ASSIGN(std::unique_ptr<Node> node, call_type("create", type.create));
  if (!node) return invalid("type '" + type.type + "' cannot run: its create() returned no node");
  return node;
}

}  // namespace sluice
