#include "runtime/allocation_counter.h"

namespace sluice {

AllocationCounts& allocation_counts() {
  static constinit AllocationCounts counts;
  return counts;
}

}  // namespace sluice
