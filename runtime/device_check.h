// What can be said of the file's section `device` without a device. Private to runtime.
#pragma once

#include "framework/core/status.h"
#include "framework/node/options.h"

namespace sluice {

// kInvalid when `telemetry: simulated` names no profile that there is, or `trace` no recording. Any thread.
Status check_telemetry(const OptionMap& device);

}  // namespace sluice
