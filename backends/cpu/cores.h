// Which CPU cores a session's threads may use: on big.LITTLE chips eight cores are slower than the four big
// ones.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"

namespace sluice {

// One core as the kernel describes it.
struct Core {
  int number = 0;
  long capacity = 0;  // relative speed: cpu_capacity, else its highest frequency in kHz; 0: unknown
};

// The cores that this process may run on. `root` is replaced in tests.
std::vector<Core> read_cores(const std::string& root = "/sys/devices/system/cpu");

// The numbers of the cores that `choice` means: "all"; "big": those of the highest capacity; "auto": big
// where capacities differ, else all; or a list such as "0,4-7". kInvalid for another text or a core that is
// not there.
Result<std::vector<int>> choose_cores(std::string_view choice, const std::vector<Core>& cores);

}  // namespace sluice
