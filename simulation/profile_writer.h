// DeviceProfile -> YAML that profile_reader reads back to the same profile.
#pragma once

#include <string>

#include "simulation/profile.h"

namespace sluice {

std::string profile_yaml(const DeviceProfile& profile);

}  // namespace sluice
