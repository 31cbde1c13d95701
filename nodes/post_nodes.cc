#include "nodes/post_nodes.h"

namespace sluice {

Status register_post_nodes(Registry& registry) {
  for (auto declaration : {detect_declaration, classify_declaration, draw_declaration, rate_limit_declaration,
                           drop_stale_declaration, switch_declaration, json_sink_declaration,
                           null_sink_declaration, app_source_declaration, app_sink_declaration}) {
    SLUICE_RETURN_IF_ERROR(registry.add(declaration()));
  }
  return {};
}

}  // namespace sluice
