// The JSON Schema of the pipeline file, made from the node declarations: what editors complete and check
// against.
#pragma once

#include <string>

#include "framework/node/registry.h"

namespace sluice {

// Draft 2020-12, indented, with a line end; the same bytes for the same registry. It knows types, ranges,
// choices and keys; references between nodes, ports and models are the plan's to check. A scalar with ${NAME}
// is allowed anywhere.
std::string make_schema(const Registry& registry);

}  // namespace sluice
