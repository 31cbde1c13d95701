// Which slots share memory: two that are never needed at the same time may.
#pragma once

#include <cstddef>
#include <vector>

#include "backends/gpu/plan/recipe.h"

namespace sluice::gpu {

struct MemoryPlan {
  std::vector<std::size_t> offsets;  // by slot; of constants: 0 and meaningless
  std::size_t arena = 0;             // bytes
  std::size_t unshared = 0;          // bytes if every slot had memory of its own
};

// A slot lives from the launch that first touches it (the start for inputs) to the one that last does (the
// end for outputs). Largest first, each at the lowest free offset, in multiples of `alignment`.
MemoryPlan plan_memory(const Recipe& recipe, std::size_t alignment);

}  // namespace sluice::gpu
