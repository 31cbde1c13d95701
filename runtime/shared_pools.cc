#include "runtime/shared_pools.h"

#include <algorithm>

#include "inference/memory_offer.h"

namespace sluice {
namespace {

// The node of this output hands on what came in.
bool passes_on(const NodePlan& node, int output) {
  const auto& declared = node.declaration->outputs;
  return declared[std::min(static_cast<std::size_t>(output), declared.size() - 1)].kind == PortKind::kAny;
}

}  // namespace

SharedPools::SharedPools(const Plan& plan, const InferenceServices& services) {
  for (std::size_t n = 0; n < plan.nodes.size(); ++n)
    if (plan.nodes[n].declaration->infers) ask(plan, services, static_cast<int>(n));
}

void SharedPools::ask(const Plan& plan, const InferenceServices& services, int node) {
  const NodePlan& infer = plan.nodes[static_cast<std::size_t>(node)];
  for (const std::string& name : infer.options->texts("backends")) {
    auto* offer = dynamic_cast<MemoryOffer*>(services.backend(name));
    if (!offer) continue;
    asked_ = true;
    const auto memory = offer->memory(infer.options->has(name) ? infer.options->map(name) : OptionMap{});
    if (!memory.ok()) {
      absent_ = "backend '" + name + "': " + memory.status().message();
      continue;
    }
    for (const auto& port : infer.inputs)
      for (const int e : port) {
        const PlanEdge& edge = plan.edges[static_cast<std::size_t>(e)];
        mark(plan, edge.from_node, edge.from_output, *memory);
      }
    for (std::size_t o = 0; o < infer.outputs.size(); ++o) mark(plan, node, static_cast<int>(o), *memory);
    return;
  }
}

// What a node only hands on is marked where it was made. The first one who shares a buffer has it.
void SharedPools::mark(const Plan& plan, int node, int output, const std::shared_ptr<MemorySource>& source) {
  const NodePlan& maker = plan.nodes[static_cast<std::size_t>(node)];
  if (!passes_on(maker, output)) {
    sources_.try_emplace({node, output}, source);
    return;
  }
  if (maker.inputs.empty()) return;
  for (const int e : maker.inputs[0]) {
    const PlanEdge& edge = plan.edges[static_cast<std::size_t>(e)];
    mark(plan, edge.from_node, edge.from_output, source);
  }
}

std::shared_ptr<MemorySource> SharedPools::memory_of(int node, int output) const {
  const auto found = sources_.find({node, output});
  return found == sources_.end() ? nullptr : found->second;
}

}  // namespace sluice
