#include "nodes/video_nodes.h"

namespace sluice {

Status register_video_nodes(Registry& registry) {
  SLUICE_RETURN_IF_ERROR(registry.add(video_source_declaration()));
  SLUICE_RETURN_IF_ERROR(registry.add(image_source_declaration()));
  SLUICE_RETURN_IF_ERROR(registry.add(video_sink_declaration()));
  return registry.add(image_sink_declaration());
}

}  // namespace sluice
