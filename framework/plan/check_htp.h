// Part of stage 'file', see draft.h.
#pragma once

#include "framework/plan/draft.h"

namespace sluice::planning {

void check_htp(Draft& draft);  // the NPU's settings against each other

}  // namespace sluice::planning
