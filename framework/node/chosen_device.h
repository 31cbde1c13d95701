// Where the plan puts a node whose option `device` is `auto`.
#pragma once

#include <string_view>

namespace sluice {

// Stands beside the declared options when the plan chose: "gpu". The node then goes on by itself on the cpu
// where it turns out that there is none.
inline constexpr std::string_view kChosenDevice = "chosen_device";

}  // namespace sluice
