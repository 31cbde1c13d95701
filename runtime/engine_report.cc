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

// Of a run that did not come to its first frame.
FlowCounters no_counters(const FlowGraph& flow) {
  FlowCounters none;
  none.nodes.resize(flow.node_rank.size());
  none.sinks.resize(static_cast<std::size_t>(flow.sinks));
  none.sources.resize(flow.sources.size());
  return none;
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
  const bool over = finished_ || !start_status_.ok();
  const FlowCounters counters = executor_ ? executor_->counters() : no_counters(flow_);
  const Status result = over ? outcome() : Status{};
  out.status = run_status(result);
  if (out.status == RunStatus::kFailed) out.error = result.message();
  if (started_) out.wall_s = to_s((finished_ ? ended_at_ : clock_.now()) - started_at_);
  out.fps = rate(counters.delivered, counters.first_delivery, counters.last_delivery);
  out.latency = figures_of(counters.latency);
  out.after_source = figures_of(counters.after_source);
  fill_process(out, counters);
  fill_sources(out, counters);
  fill_sinks(out, counters);
  fill_nodes(out, counters);
  for (const InferenceEntry& entry : services_ ? services_->entries() : std::vector<InferenceEntry>{}) {
    out.inference.push_back(inference_report(entry, started_at_));
    out.simulated = out.simulated || entry.simulated;
  }
  if (trace_) out.trace = trace_->figures();
  std::lock_guard lock(mutex_);
  out.settings = settings_;
  return out;
}

// A run that was stopped while it opened has not failed.
RunStatus Engine::run_status(const Status& result) const {
  const bool only_stopped = result.code() == Code::kCancelled && stopped_by_user_;
  if (!result.ok() && !only_stopped) return RunStatus::kFailed;
  return stopped_by_user_ ? RunStatus::kStopped : RunStatus::kCompleted;
}

void Engine::fill_process(RunReport& out, const FlowCounters& counters) const {
  const ProcessStats now = finished_ ? steady_end_ : read_process_stats();
  out.peak_rss_mb = now.peak_rss_mb;
  out.rss_mb = now.rss_mb;
  if (pools_) out.pool_mb = static_cast<double>(pools_->total_bytes()) / 1e6;
  if (started_ && !finished_) {
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
  out.page_faults_per_frame = per_frame(steady_start_.page_faults, now.page_faults, frames);
}

void Engine::fill_sources(RunReport& out, const FlowCounters& counters) const {
  const std::vector<SourceEnd> ends =
      executor_ ? executor_->source_ends() : std::vector<SourceEnd>(plan_->sources.size());
  for (std::size_t s = 0; s < plan_->sources.size(); ++s) {
    const SourceCounters& c = counters.sources[s];
    SourceReport source;
    source.id = plan_->nodes[static_cast<std::size_t>(plan_->sources[s].node)].id;
    source.produced = c.produced;
    source.delivered = c.delivered;
    source.dropped = c.dropped;
    source.corrupt = c.corrupt;
    if (s < feeds_.size()) {
      source.reconnects = feeds_[s]->reconnects();
      source.format_changes = feeds_[s]->format_changes();
    }
    if (!ends[s].status.ok()) source.error = ends[s].status.message();
    out.sources.push_back(std::move(source));
  }
}

void Engine::fill_sinks(RunReport& out, const FlowCounters& counters) const {
  for (const NodePlan& plan : plan_->nodes) {  // in the order of the file
    const FlowUnit& unit = flow_.units[static_cast<std::size_t>(plan.unit)];
    if (unit.sink != SinkKind::kCounting ||
        plan_->nodes[static_cast<std::size_t>(unit.nodes.back())].id != plan.id)
      continue;
    const SinkCounters& c = counters.sinks[static_cast<std::size_t>(unit.sink_index)];
    SinkReport sink;
    sink.id = plan.id;
    sink.due = c.due;
    sink.delivered = c.delivered;
    sink.filtered = c.filtered;
    sink.dropped = c.dropped;
    sink.fps = rate(c.delivered, c.first_delivery, c.last_delivery);
    sink.latency = figures_of(c.latency);
    out.sinks.push_back(std::move(sink));
  }
}

void Engine::fill_nodes(RunReport& out, const FlowCounters& counters) const {
  for (std::size_t n = 0; n < plan_->nodes.size(); ++n) {
    const NodePlan& plan = plan_->nodes[n];
    const NodeCounters& c = counters.nodes[n];
    out.nodes.push_back({plan.id, plan.declaration->type, c.in, c.processed, c.filtered, c.dropped,
                         c.packets_out, figures_of(c.busy), figures_of(c.wait)});
  }
}

}  // namespace sluice
