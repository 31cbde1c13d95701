// Registration of `infer`, and what its declaration and its body share.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "framework/node/declaration.h"
#include "framework/node/registry.h"

namespace sluice {

// Adds the node type `infer`.
Status register_infer_node(Registry& registry);

// Ports, options, types and thread of `infer`.
void describe_infer(NodeDeclaration& declaration);

// Which edge feeds which of the model's inputs, by the names the file gave ("": by position; one input: any
// name). kInvalid names what is missing, unknown or double.
Result<std::vector<std::size_t>> match_inputs(const std::vector<TensorType>& inputs,
                                              const std::vector<std::string>& names);

}  // namespace sluice
