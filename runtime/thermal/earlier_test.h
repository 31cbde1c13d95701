// The result of an interrupted test, before another goes on with it.
#pragma once

#include "framework/core/status.h"
#include "runtime/thermal/thermal_test.h"

namespace sluice {

// kInvalid, naming the run and the window: windows that no test has written so.
Status check_windows(const ThermalReport& earlier);

}  // namespace sluice
