// Registry: the node types a pipeline may use. Filled by explicit lists, never by static objects.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/node/declaration.h"
#include "framework/node/node.h"
#include "framework/node/type_calls.h"

namespace sluice {

// Copyable; read-only while pipelines use it.
class Registry {
 public:
  // T has `static void describe(NodeDeclaration&)` and a default constructor. kInvalid: the name was added
  // before, or `describe` threw.
  template <typename T>
  Status add(std::string type) {
    NodeDeclaration declaration;
    declaration.type = std::move(type);
    declaration.create = [] { return Result<std::unique_ptr<Node>>(std::make_unique<T>()); };
    const Status described = call_type("describe", [&]() -> Status {
      T::describe(declaration);
      return {};
    });
    if (!described.ok()) return described.with_context("node type '" + declaration.type + "': ");
    return add(std::move(declaration));
  }
  Status add(NodeDeclaration declaration);

  const NodeDeclaration* find(std::string_view type) const;
  // In order of registration.
  std::vector<const NodeDeclaration*> all() const;

 private:
  std::vector<std::shared_ptr<const NodeDeclaration>> types_;
};

}  // namespace sluice
