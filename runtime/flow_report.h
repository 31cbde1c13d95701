// What a flow core counted as the frames, latencies, nodes, sinks and sources of a report.
#pragma once

#include "framework/graph/flow_core.h"
#include "framework/plan/plan.h"
#include "runtime/report.h"

namespace sluice {

void fill_flow(const Plan& plan, const FlowGraph& flow, const FlowCounters& counters, RunReport& report);

}  // namespace sluice
