// Node types in words: `sluice nodes` and `sluice nodes TYPE`, from the declarations.
#pragma once

#include <string>

#include "framework/node/registry.h"

namespace sluice {

// One line per type, in order of registration: name and summary.
std::string list_nodes(const Registry& registry);

// Ports and options of one type with units, ranges and defaults.
std::string describe_node(const NodeDeclaration& declaration);

}  // namespace sluice
