// Elementwise operators as chains: one kernel applies any number of steps in one pass (kernels/chain.cl).
#pragma once

#include <cstdint>
#include <optional>

#include "backends/gpu/ir/graph.h"

namespace sluice::gpu {

// Where a chain finds the elements of a smaller operand: element (i / inner) % count of it for element i.
struct Cycle {
  std::int64_t inner = 1, count = 1;
};
// How `operand` broadcasts to `out`; nothing when it is no single cycle (then only the general kernel takes
// it).
std::optional<Cycle> cycle_of(const Dims& operand, const Dims& out);

// At most this many operands of other tensors in one chain.
constexpr std::size_t kMostOperands = 3;

// Turns elementwise nodes into Chain nodes {inputs: [head], steps}; two full operands that broadcast against
// each other stay as they are. Adds constants and values to the graph where an operator needs them.
void make_chains(Graph& graph);

}  // namespace sluice::gpu
