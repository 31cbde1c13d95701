// Plain scalars by YAML 1.2's core schema (section 10.3.2 of the YAML specification).
#pragma once

#include <string_view>

#include "framework/core/status.h"
#include "framework/spec/spec.h"

namespace sluice {

// Null, bool, 64-bit integer (decimal, 0o, 0x), double, else text. Refused (kInvalid): .nan and .inf,
// integers beyond 64 bits, floats beyond a double's range. `mark` becomes the value's place.
Result<Value> resolve_scalar(std::string_view text, Mark mark);

}  // namespace sluice
