// Where a node type's own functions are called before it runs: what they throw is an error of the type, or of
// the file at the place of the node. Memory that is short is nobody's error, and is passed on.
#pragma once

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "framework/core/guarded.h"
#include "framework/node/node.h"

namespace sluice {

// f() calls `function` of a declaration and returns a Status or a Result; kInvalid for what it throws.
template <typename F>
auto call_type(std::string_view function, F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (...) {
    return invalid(std::string(function) + "(): " + status_of_exception().message());
  }
}

// A node of the type; kInvalid when its declaration makes none.
Result<std::unique_ptr<Node>> create_node(const NodeDeclaration& type);

}  // namespace sluice
