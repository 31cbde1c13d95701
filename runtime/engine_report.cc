// A run's counters as a report (contract section 5).
#include "framework/core/ticks.h"
#include "runtime/engine.h"

namespace sluice {
namespace {

// (delivered - 1) / (last - first delivery).
std::optional<double> rate(std::uint64_t delivered, TimeNs first, TimeNs last) {
  if (delivered < 2 || last <= first) return std::nullopt;
  return static_cast<double>(delivered - 1) / to_s(last - first);
}

std::optional<double> per_frame(std::optional<std::uint64_t> from, std::optional<std::uint64_t> to,
                                std::uint64_t frames) {
  if (!from || !to || frames == 0) return std::nullopt;
  return static_cast<double>(*to - *from) / static_cast<double>(frames);
}

InferenceReport inference_report(const InferenceEntry& entry, TimeNs start) {
  InferenceReport out;
  out.node = entry.node;
  out.model = entry.model;
  out.variant = entry.variant;
  out.backend = entry.backend;
  out.requested = entry.requested;
  out.simulated = entry.simulated;
  if (entry.placement.total > 0) {
    out.operators =
        OperatorsReport{entry.placement.total, entry.placement.on_backend, entry.placement.elsewhere};
  }
  out.latency = figures_of(entry.latency);
  out.saturated_fraction = entry.saturated_fraction;
  for (const Choice& c : entry.decisions) {
    const bool has_mode = !c.performance_mode.empty();
    out.decisions.push_back({std::max(0.0, to_s(c.at - start)), c.backend, c.variant,
                             has_mode ? std::optional(c.performance_mode) : std::nullopt, c.step, c.reason});
  }
  out.warnings = entry.warnings;
  return out;
}

}  // namespace

RunReport Engine::report() const {
  RunReport out;
  out.pipeline = plan_->name;
  if (!executor_) return out;
  const FlowCounters counters = executor_->counters();
  const Status result = finished_ ? outcome() : Status{};
  out.status = !result.ok()       ? RunStatus::kFailed
               : stopped_by_user_ ? RunStatus::kStopped
                                  : RunStatus::kCompleted;
  if (!result.ok()) out.error = result.message();
  out.wall_s = to_s((finished_ ? ended_at_ : clock_.now()) - started_at_);
  out.fps = rate(counters.delivered, counters.first_delivery, counters.last_delivery);
  out.latency = figures_of(counters.latency);
  out.after_source = figures_of(counters.after_source);
  fill_process(out, counters);
  fill_sources(out, counters);
  for (std::size_t n = 0; n < plan_->nodes.size(); ++n) {
    const NodePlan& plan = plan_->nodes[n];
    const NodeCounters& c = counters.nodes[n];
    out.nodes.push_back({plan.id, plan.declaration->type, c.in, c.processed, c.filtered, c.dropped,
                         c.packets_out, figures_of(c.busy), figures_of(c.wait)});
  }
  for (const InferenceEntry& entry : services_->entries()) {
    out.inference.push_back(inference_report(entry, started_at_));
    out.simulated = out.simulated || entry.simulated;
  }
  if (trace_) out.trace = trace_->figures();
  std::lock_guard lock(mutex_);
  out.settings = settings_;
  return out;
}

void Engine::fill_process(RunReport& out, const FlowCounters& counters) const {
  const ProcessStats now = finished_ ? steady_end_ : read_process_stats();
  out.peak_rss_mb = now.peak_rss_mb;
  out.rss_mb = now.rss_mb;
  out.pool_mb = static_cast<double>(pools_->total_bytes()) / 1e6;
  if (!finished_) {
    std::uint64_t in_flight = 0;
    for (const SourceCounters& s : counters.sources) in_flight += s.in_flight();
    out.in_flight = in_flight;
  }
  if (!steady_.load(std::memory_order_acquire)) return;
  const std::uint64_t frames = finished_ ? steady_frames_ : produced_.load() - 30;
  if (frames == 0) return;
  out.core_ms_per_frame = (now.cpu_s - steady_start_.cpu_s) * 1e3 / static_cast<double>(frames);
  out.allocations_per_frame = per_frame(steady_start_.own_allocations, now.own_allocations, frames);
  out.allocations_per_frame_total = per_frame(steady_start_.total_allocations, now.total_allocations, frames);
}

void Engine::fill_sources(RunReport& out, const FlowCounters& counters) const {
  const std::vector<SourceEnd> ends = executor_->source_ends();
  for (std::size_t s = 0; s < plan_->sources.size(); ++s) {
    const SourceCounters& c = counters.sources[s];
    SourceReport source;
    source.id = plan_->nodes[static_cast<std::size_t>(plan_->sources[s].node)].id;
    source.produced = c.produced;
    source.delivered = c.delivered;
    source.dropped = c.dropped;
    source.corrupt = c.corrupt;
    source.reconnects = feeds_[s]->reconnects();
    source.format_changes = feeds_[s]->format_changes();
    if (!ends[s].status.ok()) source.error = ends[s].status.message();
    out.sources.push_back(std::move(source));
  }
  for (std::size_t u = 0; u < flow_.units.size(); ++u) {
    const FlowUnit& unit = flow_.units[u];
    if (unit.sink != SinkKind::kCounting) continue;
    const SinkCounters& c = counters.sinks[static_cast<std::size_t>(unit.sink_index)];
    SinkReport sink;
    sink.id = plan_->nodes[static_cast<std::size_t>(unit.nodes.back())].id;
    sink.due = c.due;
    sink.delivered = c.delivered;
    sink.filtered = c.filtered;
    sink.dropped = c.dropped;
    sink.fps = rate(c.delivered, c.first_delivery, c.last_delivery);
    sink.latency = figures_of(c.latency);
    out.sinks.push_back(std::move(sink));
  }
}

}  // namespace sluice
