// Which OpenCL device a name in a pipeline file means: for sessions (in the library) and for pictures (in the
// module) alike.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "framework/core/status.h"

namespace sluice::gpu {

struct DeviceName {
  std::string device, platform;
  bool operator==(const DeviceName&) const = default;
};

// The place in `devices`, which are in their order of preference, of the one that `wanted` means. `auto`: the
// first. Else the device of that name; else the one whose name, or whose platform's, has it as a part, upper
// and lower case alike. Of devices that are called the same, the first. kUnavailable, with the names that are
// there: no device has it, or several different ones do.
Result<std::size_t> choose_by_name(const std::vector<DeviceName>& devices, const std::string& wanted);

}  // namespace sluice::gpu
