// Where float meets quantised: conversions inserted on an edge or folded into its ends, contradictions named.
#pragma once

#include "framework/plan/draft.h"

namespace sluice::planning {

// Lets `node`'s first output be what the models behind it read, when the node can write that itself.
void fold_into_producer(Draft& draft, int node);
// Brings the tensors on all inputs of `node` into the types it takes: folds, or inserts quantize and
// dequantize nodes. False: an error was reported.
bool convert_inputs(Draft& draft, int node);

}  // namespace sluice::planning
