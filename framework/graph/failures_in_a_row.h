// Contract section 3 rule 8.
#pragma once

#include <cstdint>

namespace sluice {

// So many frames that fail or hang in one node, none between them going well, end the run.
constexpr std::uint32_t kFailuresInARow = 30;

}  // namespace sluice
