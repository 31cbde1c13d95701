// Whether this machine has memory for one more session. Private to runtime.
#pragma once

#include "framework/core/status.h"
#include "inference/inference.h"

namespace sluice {

// kUnavailable, with figures: a session of this model may take more than the half of what is free. One that
// the machine has no room for is not tried: it could end the process.
Status room_for(const ModelRequest& model);

}  // namespace sluice
