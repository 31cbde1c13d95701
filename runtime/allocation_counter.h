// Counts of heap allocations, for `allocations_per_frame` (contract section 5). Programs that link
// runtime/allocation_hooks.cc count; others report `null`.
#pragma once

#include <atomic>
#include <cstdint>

namespace sluice {

struct AllocationCounts {
  std::atomic<bool> active{false};      // the hooks are linked in
  std::atomic<std::uint64_t> own{0};    // inside an OwnCode scope
  std::atomic<std::uint64_t> total{0};  // of the process
};

// One per process.
AllocationCounts& allocation_counts();

}  // namespace sluice
