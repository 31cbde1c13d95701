#include "framework/node/registry.h"

namespace sluice {

Status Registry::add(NodeDeclaration declaration) {
  if (declaration.type.empty()) return invalid("a node type needs a name");
  if (find(declaration.type)) return invalid("node type '" + declaration.type + "' is already registered");
  types_.push_back(std::make_shared<const NodeDeclaration>(std::move(declaration)));
  return {};
}

const NodeDeclaration* Registry::find(std::string_view type) const {
  for (const auto& t : types_) {
    if (t->type == type) return t.get();
  }
  return nullptr;
}

std::vector<const NodeDeclaration*> Registry::all() const {
  std::vector<const NodeDeclaration*> out;
  for (const auto& t : types_) out.push_back(t.get());
  return out;
}

}  // namespace sluice
