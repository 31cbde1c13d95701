// The declaration of a node class, as its `<type>_declaration()` function returns it.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "framework/node/declaration.h"
#include "framework/node/node.h"

namespace sluice {

// T has `static void describe(NodeDeclaration&)` and a default constructor.
template <typename T>
NodeDeclaration declare(std::string type) {
  NodeDeclaration declaration;
  declaration.type = std::move(type);
  declaration.create = [] { return Result<std::unique_ptr<Node>>(std::make_unique<T>()); };
  T::describe(declaration);
  return declaration;
}

// For nodes that pass on what they get: an output port of the type of the first input.
inline PortType same_as_input(const TypeContext& context, std::string name) {
  const std::vector<PortType> inputs = context.inputs(0);
  PortType out = inputs.empty() ? PortType{} : inputs.front();
  out.name = std::move(name);
  return out;
}

}  // namespace sluice
