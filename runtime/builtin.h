// The explicit lists: every node type that ships with Sluice.
#pragma once

#include "framework/node/registry.h"
#include "framework/plan/plan.h"

namespace sluice {

// A registry with all built-in node types; an application adds its own to the copy it gets.
Registry builtin_registry();

// What the plan may ask about built-in sources from their options alone (live? paced?).
SourceTraits source_traits(const std::string& type, const Options& options);

}  // namespace sluice
