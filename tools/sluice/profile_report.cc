#include "tools/sluice/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tools/sluice/remedies.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kSlowest = 5;

std::size_t slowest_of(const BackendProfile& backend) { return std::min(backend.layers.size(), kSlowest); }

double runs_per_second(const RunFigures& figures) {
  return figures.seconds > 0 ? static_cast<double>(figures.runs) / figures.seconds : 0;
}

Json or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); }

Json layer_json(const LayerTime& layer) {
  Json out = {{"name", layer.name}, {"operator", layer.type.empty() ? Json(nullptr) : Json(layer.type)}};
  if (layer.ms > 0) out["ms"] = layer.ms;
  if (layer.cycles > 0) out["cycles"] = layer.cycles;
  out["share"] = layer.share;
  return out;
}

Json placement_json(const Placement& placement) {
  Json out = {
      {"total", placement.total}, {"on_backend", placement.on_backend}, {"elsewhere", placement.elsewhere}};
  if (placement.elsewhere.empty()) return out;
  out["reasons"] = placement.reasons;
  out["remedy"] = kSplitRemedy;
  return out;
}

Json figures_json(const RunFigures& f) {
  return {{"simulated", f.simulated},
          {"runs", f.runs},
          {"seconds", f.seconds},
          {"streams", f.streams},
          {"latency_ms",
           {{"mean", f.mean()},
            {"p50", f.quantile(0.5)},
            {"p90", f.quantile(0.9)},
            {"p95", f.quantile(0.95)},
            {"p99", f.quantile(0.99)},
            {"max", f.ms.back()}}},
          {"fps", runs_per_second(f)},
          {"cpu_ms_per_run", f.cpu_ms_per_run},
          {"open_ms", f.open_ms},
          {"first_run_ms", f.first_run_ms},
          {"memory", {{"session_mb", or_null(f.session_mb)}, {"peak_rss_mb", or_null(f.peak_rss_mb)}}},
          {"operators", placement_json(f.placement)}};
}

Json backend_json(const BackendProfile& backend) {
  Json out = {{"backend", backend.backend}, {"available", backend.figures.has_value()}};
  if (!backend.soc.empty()) out["soc"] = backend.soc;
  if (!backend.figures) {
    out["reason"] = backend.reason;
    return out;
  }
  out.update(figures_json(*backend.figures));
  out["layers"] = Json::array();
  for (const LayerTime& layer : backend.layers) out["layers"].push_back(layer_json(layer));
  if (!backend.layers_reason.empty()) out["layers_reason"] = backend.layers_reason;
  out["slowest"] = Json::array();
  for (std::size_t i = 0; i < slowest_of(backend); ++i) {
    Json layer = layer_json(backend.layers[i]);
    layer["remedy"] = remedy_for(backend.layers[i], backend.backend);
    out["slowest"].push_back(std::move(layer));
  }
  return out;
}

std::string latency_table(const ModelProfile& profile) {
  std::string out =
      fmt::format("{:<16} {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>11} {:>11}\n", "backend", "runs",
                  "mean ms", "p50", "p90", "p95", "p99", "per s", "CPU ms/run", "session MB");
  for (const BackendProfile& backend : profile.backends) {
    if (!backend.figures) {
      out += fmt::format("{:<16} {}\n", backend.backend, backend.reason);
      continue;
    }
    const RunFigures& f = *backend.figures;
    out +=
        fmt::format("{:<16} {:>7} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.3f} {:>9.1f} {:>11.3f} {:>11}\n",
                    backend.backend + (f.simulated ? " (simulated)" : ""), f.runs, f.mean(), f.quantile(0.5),
                    f.quantile(0.9), f.quantile(0.95), f.quantile(0.99), runs_per_second(f), f.cpu_ms_per_run,
                    f.session_mb ? fmt::format("{:.1f}", *f.session_mb) : "-");
  }
  return out;
}

// Which operators the backend gave away, and why; empty: none.
std::string split_text(const std::string& backend, const Placement& placement) {
  if (placement.elsewhere.empty()) return {};
  std::string out =
      fmt::format("{} takes {} of {} operators", backend, placement.on_backend, placement.total);
  for (const auto& [place, count] : placement.elsewhere) out += fmt::format(", {} run on {}", count, place);
  out += ":\n";
  for (const std::string& reason : placement.reasons) out += "           " + reason + "\n";
  return out + fmt::format("           {}\n", kSplitRemedy);
}

std::string slowest_text(const BackendProfile& backend) {
  std::string out = "slowest layers on " + backend.backend + ":\n";
  for (std::size_t i = 0; i < slowest_of(backend); ++i) {
    const LayerTime& layer = backend.layers[i];
    const std::string time =
        layer.ms > 0 ? fmt::format("{:.3f} ms", layer.ms) : fmt::format("{:.0f} cycles", layer.cycles);
    out += fmt::format("  {:>5.1f} %  {}  {}{}{}\n           {}\n", layer.share * 100, time, layer.type,
                       layer.type.empty() ? "" : " ", layer.name, remedy_for(layer, backend.backend));
  }
  return out;
}

std::string scenario_text(const ModelProfile& profile) {
  if (profile.scenario.empty()) return {};
  const std::string what =
      profile.scenario == "offline" ? "runs per second count" : "the 90th percentile counts";
  return fmt::format(
      "scenario {}: {}{}\n", profile.scenario, what,
      profile.shortened
          ? fmt::format("; only {:g} s, MLPerf Mobile wants at least 60: no valid result", profile.wanted_s)
          : "");
}

}  // namespace

std::string profile_text(const ModelProfile& profile) {
  std::string out = profile.model + (profile.samples > 0 ? fmt::format(", {} samples\n", profile.samples)
                                                         : ", made-up numbers as input\n");
  for (const BackendProfile& backend : profile.backends)
    if (!backend.soc.empty()) out += backend.backend + ": as " + backend.soc + "\n";
  out += scenario_text(profile) + latency_table(profile);
  for (const BackendProfile& backend : profile.backends) {
    if (!backend.figures) continue;
    out += split_text(backend.backend, backend.figures->placement);
    out += backend.layers.empty()
               ? "no layer times of " + backend.backend + ": " + backend.layers_reason + "\n"
               : slowest_text(backend);
  }
  return out;
}

std::string profile_json(const ModelProfile& profile) {
  Json out = {{"version", 1},
              {"model", profile.model},
              {"scenario", profile.scenario.empty() ? Json(nullptr) : Json(profile.scenario)},
              {"at_least_s", profile.wanted_s},
              {"shortened", profile.shortened},
              {"samples", profile.samples},
              {"backends", Json::array()}};
  for (const BackendProfile& backend : profile.backends) out["backends"].push_back(backend_json(backend));
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
