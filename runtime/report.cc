#include "runtime/report.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/redact.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

Json number(std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return std::round(*value * 1e6) / 1e6;
}

template <typename T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json drops(const DropCounts& counts) {
  Json out = Json::object();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] != 0) out[std::string(name_of(static_cast<DropReason>(i)))] = counts[i];
  }
  return out;
}

Json median_and_tail(const LatencyFigures& f) { return {{"p50", number(f.p50)}, {"p95", number(f.p95)}}; }

Json all_figures(const LatencyFigures& f) {
  return {{"mean", number(f.mean)},
          {"p50", number(f.p50)},
          {"p95", number(f.p95)},
          {"p99", number(f.p99)},
          {"max", number(f.max)}};
}

Json source(const SourceReport& s) {
  Json out = {{"id", s.id},
              {"produced", s.produced},
              {"delivered", s.delivered},
              {"dropped", drops(s.dropped)},
              {"corrupt", s.corrupt},
              {"reconnects", s.reconnects},
              {"format_changes", s.format_changes}};
  if (s.error) out["error"] = redact_url(*s.error);
  return out;
}

Json sink(const SinkReport& s) {
  Json out = {{"id", s.id},
              {"due", s.due},
              {"delivered", s.delivered},
              {"dropped", drops(s.dropped)},
              {"filtered", s.filtered},
              {"fps", number(s.fps)},
              {"latency_ms", median_and_tail(s.latency)}};
  if (s.unwritten > 0) out["unwritten"] = s.unwritten;
  return out;
}

Json node(const NodeReport& n) {
  return {{"id", n.id},
          {"type", n.type},
          {"in", n.in},
          {"processed", n.processed},
          {"filtered", n.filtered},
          {"dropped", drops(n.dropped)},
          {"packets_out", n.packets_out},
          {"failed_items", n.failed_items},
          {"busy_ms", median_and_tail(n.busy)},
          {"wait_ms", median_and_tail(n.wait)}};
}

// Empty names: the model's own path, or not known yet.
Json name(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json decision(const DecisionReport& d) {
  return {{"at_s", number(d.at_s)},
          {"backend", d.backend},
          {"variant", name(d.variant)},
          {"performance_mode", or_null(d.performance_mode)},
          {"step", d.step},
          {"reason", d.reason}};
}

Json operators(const std::optional<OperatorsReport>& o) {
  if (!o) return nullptr;
  Json elsewhere = Json::object();
  for (const auto& [place, count] : o->elsewhere) elsewhere[place] = count;
  return {{"total", o->total}, {"on_backend", o->on_backend}, {"elsewhere", elsewhere}};
}

template <typename Range, typename F>
Json list(const Range& range, F each) {
  Json out = Json::array();
  for (const auto& item : range) out.push_back(each(item));
  return out;
}

Json texts(const std::vector<std::string>& lines) {
  return list(lines, [](const std::string& line) { return redact_url(line); });
}

Json inference(const InferenceReport& i) {
  Json out = {{"node", i.node},
              {"model", i.model},
              {"variant", name(i.variant)},
              {"backend", name(i.backend)},
              {"simulated", i.simulated},
              {"simulated_backends", i.simulated_backends},
              {"requested", i.requested},
              {"operators", operators(i.operators)},
              {"latency_ms", median_and_tail(i.latency)},
              {"saturated_fraction", number(i.saturated_fraction)},
              {"decisions", list(i.decisions, decision)},
              {"warnings", texts(i.warnings)}};
  if (i.decisions_left_out > 0) out["decisions_left_out"] = i.decisions_left_out;
  return out;
}

Json setting(const SettingReport& s) {
  return {{"at_s", number(s.at_s)}, {"node", s.node}, {"option", s.option}, {"value", redact_url(s.value)}};
}

Json device(const std::optional<DeviceReport>& d) {
  if (!d) return nullptr;
  Json heat = Json::object();
  for (const DeviceReport::Heat& h : d->temperature_c) {
    heat[h.role] = h.mean || h.max ? Json{{"mean", number(h.mean)}, {"max", number(h.max)}} : Json(nullptr);
  }
  return {{"telemetry", d->telemetry},         {"profile", or_null(d->profile)},
          {"ambient_c", number(d->ambient_c)}, {"temperature_c", heat},
          {"power_w", number(d->power_w)},     {"energy_j", number(d->energy_j)},
          {"notices", texts(d->notices)}};
}

// The sum over the sources.
Json frames(const RunReport& report) {
  std::uint64_t produced = 0, delivered = 0;
  DropCounts dropped{};
  for (const SourceReport& s : report.sources) {
    produced += s.produced;
    delivered += s.delivered;
    for (std::size_t i = 0; i < dropped.size(); ++i) dropped[i] += s.dropped[i];
  }
  Json out = {{"produced", produced}, {"delivered", delivered}, {"dropped", drops(dropped)}};
  if (report.in_flight) out["in_flight"] = *report.in_flight;
  return out;
}

Json memory(const RunReport& r) {
  Json out = {{"peak_rss_mb", number(r.peak_rss_mb)},
              {"rss_mb", number(r.rss_mb)},
              {"pool_mb", number(r.pool_mb)},
              {"allocations_per_frame", number(r.allocations_per_frame)},
              {"allocations_per_frame_total", number(r.allocations_per_frame_total)},
              {"page_faults_per_frame", number(r.page_faults_per_frame)}};
  if (!r.shared_memory) return out;
  const std::string& absent = r.shared_memory->absent;
  out["shared"] = {{"pool_mb", number(r.shared_memory->pool_mb)},
                   {"absent", absent.empty() ? Json(nullptr) : Json(absent)}};
  return out;
}

}  // namespace

std::string_view name_of(RunStatus status) {
  switch (status) {
    case RunStatus::kCompleted:
      return "completed";
    case RunStatus::kStopped:
      return "stopped";
    case RunStatus::kFailed:
      return "failed";
  }
  return "failed";
}

LatencyFigures figures_of(const Histogram& histogram) {
  if (histogram.count() == 0) return {};
  return {histogram.mean_ms(), histogram.quantile_ms(0.5), histogram.quantile_ms(0.95),
          histogram.quantile_ms(0.99), histogram.max_ms()};
}

std::string to_json(const RunReport& report) {
  Json out = {{"version", 1},
              {"pipeline", report.pipeline},
              {"status", name_of(report.status)},
              {"simulated", report.simulated},
              {"wall_s", number(report.wall_s)},
              {"frames", frames(report)},
              {"fps", number(report.fps)},
              {"latency_ms", all_figures(report.latency)},
              {"after_source_ms", all_figures(report.after_source)},
              {"cpu", {{"core_ms_per_frame", number(report.core_ms_per_frame)}}},
              {"memory", memory(report)},
              {"sources", list(report.sources, source)},
              {"sinks", list(report.sinks, sink)},
              {"nodes", list(report.nodes, node)},
              {"inference", list(report.inference, inference)},
              {"settings", list(report.settings, setting)},
              {"device", device(report.device)},
              {"warnings", texts(report.warnings)}};
  if (report.settings_left_out > 0) out["settings_left_out"] = report.settings_left_out;
  if (report.trace) out["trace"] = {{"events", report.trace->events}, {"lost", report.trace->lost}};
  if (report.error) out["error"] = redact_url(*report.error);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice
