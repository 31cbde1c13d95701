// What stands between a picture and a model: preprocess, quantize, dequantize.
#pragma once

#include "framework/core/status.h"
#include "framework/node/declaration.h"
#include "framework/node/registry.h"

namespace sluice {

NodeDeclaration preprocess_declaration();
NodeDeclaration quantize_declaration();
NodeDeclaration dequantize_declaration();

// Adds all of them.
Status register_preprocess_nodes(Registry& registry);

}  // namespace sluice
