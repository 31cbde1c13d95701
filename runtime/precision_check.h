// Settings of the NPU that concern float models, written for models that are none. Private to runtime.
#pragma once

#include "framework/plan/plan.h"
#include "framework/spec/spec.h"

namespace sluice {

// kInvalid, where it stands in the file: `htp.precision` or `htp.fp16_clamp` of a node that has no float
// model, or in `backends` when no node on htp has one. Reads the headers that the plan read. Any thread.
Issues check_precision(const GraphSpec& spec, const Plan& plan);

}  // namespace sluice
