// What stands behind the models: decoders, drawing, flow control, and the ends that are neither video nor
// picture.
#pragma once

#include "framework/core/status.h"
#include "framework/node/declaration.h"
#include "framework/node/registry.h"

namespace sluice {

NodeDeclaration detect_declaration();
NodeDeclaration classify_declaration();
NodeDeclaration draw_declaration();
NodeDeclaration rate_limit_declaration();
NodeDeclaration drop_stale_declaration();
NodeDeclaration switch_declaration();
NodeDeclaration json_sink_declaration();
NodeDeclaration null_sink_declaration();
NodeDeclaration app_source_declaration();
NodeDeclaration app_sink_declaration();

// Adds all of them.
Status register_post_nodes(Registry& registry);

}  // namespace sluice
