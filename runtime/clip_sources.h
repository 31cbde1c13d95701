// Which nodes write the quantised inputs of a model.
#pragma once

#include "framework/plan/plan.h"
#include "inference/services.h"

namespace sluice {

// Tells each infer node's record which nodes write its quantised inputs, through those that only pass
// tensors on. Once all nodes are open, before the first frame.
void connect_clip_meters(const Plan& plan, const InferenceServices& services);

}  // namespace sluice
