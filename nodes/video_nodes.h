// Pictures in and out: the node types that read and write videos and pictures.
#pragma once

#include "framework/core/status.h"
#include "framework/node/declaration.h"
#include "framework/node/registry.h"

namespace sluice {

NodeDeclaration video_source_declaration();
NodeDeclaration image_source_declaration();
NodeDeclaration video_sink_declaration();
NodeDeclaration image_sink_declaration();

// Adds video_source, image_source, video_sink and image_sink.
Status register_video_nodes(Registry& registry);

}  // namespace sluice
