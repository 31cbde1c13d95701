// A compiled model as the artefact cache holds it, together with what only its compilation could tell.
#pragma once

#include <string>
#include <string_view>

#include "framework/core/status.h"
#include "inference/inference.h"

namespace sluice::htp {

struct ContextEntry {
  Placement placement;  // of the model that was compiled: a compiled one has a single node
  std::string model;    // ONNX with the context inside an EPContext node
};

std::string pack_entry(const ContextEntry& entry);
// kInvalid: no such text.
Result<ContextEntry> unpack_entry(std::string_view bytes);

}  // namespace sluice::htp
