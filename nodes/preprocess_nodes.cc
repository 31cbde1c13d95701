#include "nodes/preprocess_nodes.h"

namespace sluice {

Status register_preprocess_nodes(Registry& registry) {
  SLUICE_RETURN_IF_ERROR(registry.add(preprocess_declaration()));
  SLUICE_RETURN_IF_ERROR(registry.add(quantize_declaration()));
  return registry.add(dequantize_declaration());
}

}  // namespace sluice
