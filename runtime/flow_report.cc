#include "runtime/flow_report.h"

namespace sluice {
namespace {

// (delivered - 1) / (last - first delivery).
std::optional<double> rate(std::uint64_t delivered, TimeNs first, TimeNs last) {
  if (delivered < 2 || last <= first) return std::nullopt;
  return static_cast<double>(delivered - 1) / to_s(last - first);
}

void fill_sources(const Plan& plan, const FlowCounters& counters, RunReport& out) {
  for (std::size_t s = 0; s < plan.sources.size(); ++s) {
    const SourceCounters& c = counters.sources[s];
    SourceReport source;
    source.id = plan.nodes[static_cast<std::size_t>(plan.sources[s].node)].id;
    source.produced = c.produced;
    source.delivered = c.delivered;
    source.dropped = c.dropped;
    source.corrupt = c.corrupt;
    out.sources.push_back(std::move(source));
  }
}

void fill_sinks(const Plan& plan, const FlowGraph& flow, const FlowCounters& counters, RunReport& out) {
  for (const NodePlan& node : plan.nodes) {  // in the order of the file
    const FlowUnit& unit = flow.units[static_cast<std::size_t>(node.unit)];
    if (unit.sink != SinkKind::kCounting ||
        plan.nodes[static_cast<std::size_t>(unit.nodes.back())].id != node.id)
      continue;
    const SinkCounters& c = counters.sinks[static_cast<std::size_t>(unit.sink_index)];
    SinkReport sink;
    sink.id = node.id;
    sink.due = c.due;
    sink.delivered = c.delivered;
    sink.filtered = c.filtered;
    sink.dropped = c.dropped;
    sink.fps = rate(c.delivered, c.first_delivery, c.last_delivery);
    sink.latency = figures_of(c.latency);
    out.sinks.push_back(std::move(sink));
  }
}

}  // namespace

void fill_flow(const Plan& plan, const FlowGraph& flow, const FlowCounters& counters, RunReport& out) {
  out.pipeline = plan.name;
  out.fps = rate(counters.delivered, counters.first_delivery, counters.last_delivery);
  out.latency = figures_of(counters.latency);
  out.after_source = figures_of(counters.after_source);
  fill_sources(plan, counters, out);
  fill_sinks(plan, flow, counters, out);
  for (std::size_t n = 0; n < plan.nodes.size(); ++n) {
    const NodeCounters& c = counters.nodes[n];
    out.nodes.push_back({plan.nodes[n].id, plan.nodes[n].declaration->type, c.in, c.processed, c.filtered,
                         c.dropped, c.packets_out, c.failed_items, figures_of(c.busy), figures_of(c.wait)});
  }
}

}  // namespace sluice
