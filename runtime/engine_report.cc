// A run's counters as a report (contract section 5).
#include <algorithm>

#include "framework/core/ticks.h"
#include "framework/node/late_loss.h"
#include "runtime/engine.h"
#include "runtime/flow_report.h"

namespace sluice {
namespace {

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

std::vector<DecisionReport> decision_reports(const InferenceEntry& entry, TimeNs start) {
  std::vector<DecisionReport> out;
  for (const Choice& c : entry.decisions) {
    const bool has_mode = !c.performance_mode.empty();
    out.push_back({std::max(0.0, to_s(c.at - start)), c.backend, c.variant,
                   has_mode ? std::optional(c.performance_mode) : std::nullopt, c.step, c.reason});
  }
  return out;
}

// Which of the backends that ran it are.
std::vector<std::string> simulated_backends(const InferenceEntry& entry, const InferenceServices& services) {
  std::vector<std::string> out = entry.ran_on;
  std::erase_if(out, [&](const std::string& name) {
    const Backend* const backend = services.backend(name);
    return !backend || !backend->simulated();
  });
  return out;
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
  out.decisions = decision_reports(entry, start);
  out.decisions_left_out = entry.decisions_left_out;
  out.warnings = entry.warnings;
  return out;
}

}  // namespace

RunReport Engine::report() const {
  std::lock_guard lock(mutex_);
  RunReport out;
  out.pipeline = plan_->name;
  const Status result = finished_ || !start_status_.ok() ? outcome() : Status{};
  out.status = run_status(result);
  if (out.status == RunStatus::kFailed) out.error = result.message();
  if (started_) out.wall_s = to_s((finished_ ? ended_at_ : clock_.now()) - started_at_);
  const FlowCounters counters = readable_ && executor_ ? executor_->counters() : no_counters(flow_);
  fill_flow(*plan_, flow_, counters, out);
  if (readable_) fill_what_ran(out, counters);
  out.settings.assign(settings_.begin(), settings_.end());
  out.settings_left_out = settings_left_out_;
  return out;
}

void Engine::fill_what_ran(RunReport& out, const FlowCounters& counters) const {
  fill_process(out, counters);
  fill_sources(out);
  if (finished_) fill_late_losses(out);
  for (const InferenceEntry& entry : services_ ? services_->entries() : std::vector<InferenceEntry>{}) {
    out.inference.push_back(inference_report(entry, started_at_));
    out.inference.back().simulated_backends = simulated_backends(entry, *services_);
    out.simulated = out.simulated || entry.simulated;
  }
  if (trace_) out.trace = trace_->figures();
  if (!telemetry_) return;
  out.device = telemetry_->report();
  if (out.device->telemetry == "simulated") out.device->profile = Options(device_.telemetry).text("profile");
}

// A run that was stopped while it opened has not failed.
RunStatus Engine::run_status(const Status& result) const {
  const bool only_stopped = result.code() == Code::kCancelled && stopped_by_user_;
  if (!result.ok() && !only_stopped) return RunStatus::kFailed;
  return stopped_by_user_ ? RunStatus::kStopped : RunStatus::kCompleted;
}

// What heats a simulated device: the time that runs have taken, by node and backend.
std::vector<BackendLoad> Engine::inference_load() const {
  std::vector<BackendLoad> out;
  for (const InferenceEntry& entry : services_->entries()) {
    BackendLoad load{entry.node, entry.backend, 0, 0};
    load.busy_ms = entry.latency.mean_ms() * static_cast<double>(entry.latency.count());
    for (const NodePlan& node : plan_->nodes) {
      if (node.id != entry.node || entry.backend != "fake") continue;
      const Options fake(node.options->map("fake"));
      load.extra_w = fake.has("heat_w") ? fake.number("heat_w") : 0;
    }
    out.push_back(std::move(load));
  }
  return out;
}

RunSnapshot Engine::snapshot() const {
  std::lock_guard lock(mutex_);
  RunSnapshot out;
  if (!readable_ || !executor_ || !services_) return out;
  out.at = (finished_ ? ended_at_ : clock_.now()) - started_at_;
  out.over = finished_;
  out.counters = executor_->counters();
  for (const InferenceEntry& entry : services_->entries()) {
    InferNow now{entry.node,
                 entry.backend,
                 entry.variant,
                 {},
                 {},
                 0,
                 decision_reports(entry, started_at_),
                 entry.decisions_left_out};
    if (!entry.decisions.empty()) {
      now.performance_mode = entry.decisions.back().performance_mode;
      now.reason = entry.decisions.back().reason;
      now.step = entry.decisions.back().step;
    }
    out.infer.push_back(std::move(now));
  }
  if (telemetry_) out.readings = telemetry_->latest();
  out.rss_mb = read_process_stats().rss_mb;
  return out;
}

void Engine::fill_process(RunReport& out, const FlowCounters& counters) const {
  const ProcessStats now = finished_ ? steady_end_ : read_process_stats();
  out.peak_rss_mb = now.peak_rss_mb;
  out.rss_mb = now.rss_mb;
  if (pools_) out.pool_mb = static_cast<double>(pools_->total_bytes()) / 1e6;
  if (pools_ && shared_ && shared_->asked())
    out.shared_memory = {static_cast<double>(pools_->total_bytes(MemoryKind::kShared)) / 1e6,
                         shared_->absent()};
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

// What sinks had taken and could not write in the end.
void Engine::fill_late_losses(RunReport& out) const {
  for (SinkReport& sink : out.sinks) {
    const auto* const late = dynamic_cast<const LateLoss*>(node(sink.id));
    if (late && !abandoned_) sink.unwritten = late->unwritten();
  }
}

// What only the feeds know.
void Engine::fill_sources(RunReport& out) const {
  if (!executor_) return;
  const std::vector<SourceEnd> ends = executor_->source_ends();
  for (std::size_t s = 0; s < out.sources.size(); ++s) {
    if (s < feeds_.size()) {
      out.sources[s].reconnects = feeds_[s]->reconnects();
      out.sources[s].format_changes = feeds_[s]->format_changes();
    }
    if (!ends[s].status.ok()) out.sources[s].error = ends[s].status.message();
  }
}

}  // namespace sluice
