// FlowGraph: what the flow core needs to know of a plan: units, exact edges, capacities, credits. No node, no
// type.
#pragma once

#include <cstdint>
#include <vector>

#include "framework/core/clock.h"
#include "framework/plan/plan.h"

namespace sluice {

// How a unit's frames count in the end.
enum class SinkKind : std::uint8_t {
  kNone,
  kCounting,  // a sink of the file: has its own due/delivered counts
  kImplied,   // the end of an exact branch of a source without any counting sink (contract section 3 rule 4)
};

// A unit runs as one task: one node, or a chain of cheap ones. All its exact inputs descend from one source.
struct FlowUnit {
  std::vector<int> nodes;  // plan indices, in order
  int source = 0;
  bool is_source = false;
  int concurrency = 1;  // frames at once
  int capacity = 0;     // complete frames that may wait for it; 0: bounded by the credits alone
  WhenFull when_full = WhenFull::kBlock;
  int may_overtake = 0;  // frames that may wait for an older one before they reach the queue; 0: by credits
  SinkKind sink = SinkKind::kNone;
  int sink_index = -1;                // into FlowCounters::sinks for kCounting
  std::uint64_t mailbox_outputs = 0;  // bit per output that a mailbox takes
};

// An exact edge between two units. A consumer may read several outputs of one producer: one FlowEdge each.
struct FlowEdge {
  int from_unit = 0;
  int from_output = 0;  // of the producer's last node; at most 64
  int to_unit = 0;
};

struct FlowSource {
  int unit = 0;
  int credits = 1;
  int slots = 1;  // frame records; at least credits
};

struct FlowGraph {
  bool lossless = false;
  TimeNs deadline = 0;  // realtime: older frames do not start; 0 = none
  std::vector<FlowUnit> units;
  std::vector<FlowEdge> edges;
  std::vector<FlowSource> sources;
  std::vector<int> node_rank;    // by node: position in the file, for "the node that stands first"
  std::vector<bool> node_stops;  // by node: on_error: stop
  int sinks = 0;                 // counting sinks
};

FlowGraph make_flow_graph(const Plan& plan);

// Realtime: a frame gives its credit back when its sinks have spoken, although branches that end in mailboxes
// may still work on it. Units of such branches get capacity 1, drop_oldest where none is set, those that take
// frames in order behind a parallel unit a bound on what overtook another in there, and each source enough
// slots for what they can hold, so that they neither pile up frames nor starve the sinks.
void bound_branches_without_sinks(FlowGraph& graph);

}  // namespace sluice
