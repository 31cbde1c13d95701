#include "framework/graph/flow_graph.h"

#include <algorithm>

namespace sluice {
namespace {

// True for a sink that counts: observers are never due (contract section 3 rule 4).
bool counts(const NodePlan& node) { return node.declaration->sink && !node.declaration->observer; }

FlowUnit make_unit(const Plan& plan, const UnitPlan& unit) {
  FlowUnit out;
  out.nodes = unit.nodes;
  out.source = unit.source;
  out.is_source = plan.nodes[static_cast<std::size_t>(unit.nodes.front())].declaration->source;
  out.concurrency = std::max(1, unit.concurrency);
  out.capacity = unit.capacity;
  out.when_full = unit.when_full == WhenFull::kDefault ? WhenFull::kBlock : unit.when_full;
  out.may_overtake = unit.may_overtake;
  return out;
}

void add_edges(const Plan& plan, FlowGraph& graph) {
  for (const PlanEdge& e : plan.edges) {
    const int from = plan.nodes[static_cast<std::size_t>(e.from_node)].unit;
    if (e.latest) {
      graph.units[static_cast<std::size_t>(from)].mailbox_outputs |= std::uint64_t{1} << e.from_output;
      continue;
    }
    const int to = plan.nodes[static_cast<std::size_t>(e.to_node)].unit;
    if (from != to) graph.edges.push_back({from, e.from_output, to});
  }
}

// Sources without a counting sink: the ends of their exact branches stand for it.
void imply_sinks(FlowGraph& graph) {
  for (std::size_t s = 0; s < graph.sources.size(); ++s) {
    const auto in_source = [s](const FlowUnit& u) { return u.source == static_cast<int>(s) && !u.is_source; };
    const bool any = std::any_of(graph.units.begin(), graph.units.end(), [&](const FlowUnit& u) {
      return in_source(u) && u.sink == SinkKind::kCounting;
    });
    if (any) continue;
    for (std::size_t u = 0; u < graph.units.size(); ++u) {
      if (!in_source(graph.units[u])) continue;
      const bool ends = std::none_of(graph.edges.begin(), graph.edges.end(),
                                     [u](const FlowEdge& e) { return e.from_unit == static_cast<int>(u); });
      if (ends) graph.units[u].sink = SinkKind::kImplied;
    }
  }
}

// What a unit that takes frames in order lets wait: as many as its most parallel producer runs at once.
int overtakers(const FlowGraph& graph, std::size_t unit) {
  int most = 1;
  for (const FlowEdge& e : graph.edges) {
    if (e.to_unit == static_cast<int>(unit))
      most = std::max(most, graph.units[static_cast<std::size_t>(e.from_unit)].concurrency);
  }
  return most > 1 && graph.units[unit].concurrency == 1 ? most : 0;
}

}  // namespace

void bound_branches_without_sinks(FlowGraph& graph) {
  if (graph.lossless) return;
  std::vector<bool> leads_to_sink(graph.units.size());
  for (std::size_t u = 0; u < graph.units.size(); ++u)
    leads_to_sink[u] = graph.units[u].sink != SinkKind::kNone;
  for (bool changed = true; changed;) {
    changed = false;
    for (const FlowEdge& e : graph.edges) {
      const auto from = static_cast<std::size_t>(e.from_unit);
      if (leads_to_sink[from] || !leads_to_sink[static_cast<std::size_t>(e.to_unit)]) continue;
      leads_to_sink[from] = changed = true;
    }
  }
  constexpr int kOnTheirWay = 2;  // messages between two units
  for (FlowSource& s : graph.sources) s.slots = std::max(s.slots, s.credits + kOnTheirWay);
  for (std::size_t u = 0; u < graph.units.size(); ++u) {
    FlowUnit& unit = graph.units[u];
    if (leads_to_sink[u] || unit.is_source) continue;
    if (unit.capacity == 0) {
      unit.capacity = 1;
      unit.when_full = WhenFull::kDropOldest;
    }
    if (unit.may_overtake == 0) unit.may_overtake = overtakers(graph, u);
    graph.sources[static_cast<std::size_t>(unit.source)].slots +=
        unit.capacity + unit.concurrency + unit.may_overtake;
  }
}

FlowGraph make_flow_graph(const Plan& plan) {
  FlowGraph graph;
  graph.lossless = plan.lossless;
  graph.deadline = plan.lossless ? 0 : plan.deadline;
  for (const NodePlan& node : plan.nodes) {
    graph.node_rank.push_back(node.file_index);
    graph.node_stops.push_back(node.stop_on_error);
  }
  for (const UnitPlan& unit : plan.units) graph.units.push_back(make_unit(plan, unit));
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {  // sinks are counted in the order of the file
    if (!counts(plan.nodes[n])) continue;
    FlowUnit& unit = graph.units[static_cast<std::size_t>(plan.nodes[n].unit)];
    unit.sink = SinkKind::kCounting;
    unit.sink_index = graph.sinks++;
  }
  for (const SourcePlan& s : plan.sources) {
    graph.sources.push_back({plan.nodes[static_cast<std::size_t>(s.node)].unit, s.credits, s.slots});
  }
  add_edges(plan, graph);
  imply_sinks(graph);
  bound_branches_without_sinks(graph);
  return graph;
}

}  // namespace sluice
