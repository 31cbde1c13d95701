#include "runtime/thermal/thermal_json.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "framework/core/redact.h"
#include "inference/foreign_json.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uintmax_t kMostBytes = 256u << 20;

Json number(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return nullptr;
  return std::round(*value * 1e6) / 1e6;
}

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json infer_map(const ThermalWindow& w, Json (*value)(const ThermalWindow::Infer&)) {
  Json out = Json::object();
  for (const ThermalWindow::Infer& i : w.infer) out[i.node] = value(i);
  return out;
}

// As in the report of a run.
Json decision_json(const DecisionReport& d) {
  return {{"at_s", number(d.at_s)},
          {"backend", text_or_null(d.backend)},
          {"variant", text_or_null(d.variant)},
          {"performance_mode", text_or_null(d.performance_mode.value_or(""))},
          {"step", d.step},
          {"reason", text_or_null(redact_url(d.reason))}};
}

Json changes_json(const ThermalWindow::Infer& infer) {
  Json out = Json::array();
  for (const DecisionReport& d : infer.changes) out.push_back(decision_json(d));
  return out;
}

// Of the windows with which a run begins.
void add_first(const ThermalWindow& w, Json& out) {
  for (const ThermalWindow::Infer& i : w.infer)
    if (i.first) out["first"][i.node] = decision_json(*i.first);
}

Json window_json(const ThermalWindow& w) {
  Json heat = Json::object(), clocks = Json::object(), dropped = Json::object();
  for (std::size_t r = 0; r < kHeatRoles; ++r)
    heat[std::string(name_of(static_cast<HeatRole>(r)))] = number(w.temperature_c[r]);
  for (std::size_t r = 0; r < kUnitRoles; ++r)
    clocks[std::string(name_of(static_cast<UnitRole>(r)))] = number(w.clock_mhz[r]);
  for (const auto& [reason, count] : w.dropped) dropped[reason] = count;
  using Infer = ThermalWindow::Infer;
  Json out = {
      {"t_s", number(w.t_s)},
      {"seconds", number(w.seconds)},
      {"phase", w.load ? "load" : "recovery"},
      {"fps", number(w.fps)},
      {"delivered", w.delivered},
      {"dropped", dropped},
      {"latency_ms", {{"p50", number(w.p50_ms)}, {"p95", number(w.p95_ms)}, {"p99", number(w.p99_ms)}}},
      {"temperature_c", heat},
      {"clock_mhz", clocks},
      {"power_w", number(w.power_w)},
      {"energy_per_frame_j", number(w.energy_per_frame_j())},
      {"rss_mb", number(w.rss_mb)},
      {"backend", infer_map(w, [](const Infer& i) { return text_or_null(i.backend); })},
      {"variant", infer_map(w, [](const Infer& i) { return text_or_null(i.variant); })},
      {"performance_mode", infer_map(w, [](const Infer& i) { return text_or_null(i.performance_mode); })},
      {"step", infer_map(w, [](const Infer& i) { return Json(i.step); })},
      {"reason", infer_map(w, [](const Infer& i) { return text_or_null(redact_url(i.reason)); })},
      {"changes", infer_map(w, [](const Infer& i) { return Json(i.changes.size()); })},
      {"decisions", infer_map(w, changes_json)}};
  add_first(w, out);
  return out;
}

Json run_json(const ThermalRun& run) {
  const ThermalResults& r = run.results;
  Json windows = Json::array(), notices = Json::array();
  for (const ThermalWindow& w : run.windows) windows.push_back(window_json(w));
  for (const std::string& n : run.notices) notices.push_back(redact_url(n));
  return {{"policy", run.policy},
          {"repetition", run.repetition},
          {"complete", run.complete},
          {"cool_down_s", number(run.cool_down_s)},
          {"cool_down", text_or_null(run.cool_down)},
          {"peak_fps", number(r.peak_fps)},
          {"sustained_fps", number(r.sustained_fps)},
          {"stability", number(r.stability)},
          {"time_to_10pct_loss_s", number(r.time_to_10pct_loss_s)},
          {"worst_fps", number(r.worst_fps)},
          {"worst_at_s", number(r.worst_at_s)},
          {"max_p95_ms", number(r.p95_ms)},
          {"max_skin_c", number(r.max_skin_c)},
          {"energy_per_frame_j", number(r.energy_per_frame_j)},
          {"memory_slope_mb_per_min", number(r.memory_slope_mb_per_min)},
          {"switches", r.switches},
          {"delivered", r.delivered},
          {"simulated_backends", run.simulated_backends},
          {"notices", notices},
          {"windows", windows}};
}

// --- reading: a document of another program must not crash this one ---

// What nothing measures is as good as missing.
std::optional<double> read_number(const Json& map, const char* key) {
  constexpr double kMost = 1e15;
  const auto found = map.find(key);
  if (found == map.end() || !found->is_number()) return std::nullopt;
  const auto value = found->get<double>();
  return std::abs(value) <= kMost ? std::optional(value) : std::nullopt;
}

// A document may say anything; what no ladder or repetition can be is 0.
int read_small(const Json& map, const char* key, int otherwise) {
  const double value = read_number(map, key).value_or(otherwise);
  return value >= 0 && value <= 1e6 ? static_cast<int>(value) : 0;
}

std::string read_text(const Json& map, const std::string& key) {
  const auto found = map.find(key);
  return found != map.end() && found->is_string() ? found->get<std::string>() : std::string();
}

const Json& child(const Json& map, const char* key) {
  static const Json kEmpty = Json::object();
  const auto found = map.find(key);
  return found != map.end() && found->is_object() ? *found : kEmpty;
}

std::uint64_t read_count(const Json& map, const char* key) {
  const auto found = map.find(key);
  return found != map.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

DecisionReport read_decision(const Json& d) {
  const std::string mode = read_text(d, "performance_mode");
  return {read_number(d, "at_s").value_or(0),
          read_text(d, "backend"),
          read_text(d, "variant"),
          mode.empty() ? std::nullopt : std::optional(mode),
          read_small(d, "step", 0),
          read_text(d, "reason")};
}

std::vector<DecisionReport> read_changes(const Json& json) {
  std::vector<DecisionReport> out;
  if (!json.is_array()) return out;
  for (const Json& d : json) {
    if (d.is_object()) out.push_back(read_decision(d));
  }
  return out;
}

std::vector<std::string> read_texts(const Json& map, const char* key) {
  std::vector<std::string> out;
  const auto found = map.find(key);
  if (found == map.end() || !found->is_array()) return out;
  for (const Json& text : *found) {
    if (text.is_string()) out.push_back(text.get<std::string>());
  }
  return out;
}

ThermalWindow read_window(const Json& json) {
  ThermalWindow out;
  out.t_s = read_number(json, "t_s").value_or(0);
  out.seconds = read_number(json, "seconds").value_or(0);
  out.load = read_text(json, "phase") != "recovery";
  out.fps = read_number(json, "fps");
  out.delivered = read_count(json, "delivered");
  const Json& latency = child(json, "latency_ms");
  out.p50_ms = read_number(latency, "p50");
  out.p95_ms = read_number(latency, "p95");
  out.p99_ms = read_number(latency, "p99");
  for (const auto& [reason, count] : child(json, "dropped").items()) {
    if (count.is_number_unsigned()) out.dropped[reason] = count.get<std::uint64_t>();
  }
  for (std::size_t r = 0; r < kHeatRoles; ++r) {
    const std::string role(name_of(static_cast<HeatRole>(r)));
    out.temperature_c[r] = read_number(child(json, "temperature_c"), role.c_str());
  }
  for (std::size_t r = 0; r < kUnitRoles; ++r) {
    const std::string role(name_of(static_cast<UnitRole>(r)));
    out.clock_mhz[r] = read_number(child(json, "clock_mhz"), role.c_str());
  }
  out.power_w = read_number(json, "power_w");
  out.rss_mb = read_number(json, "rss_mb");
  for (const auto& [node, backend] : child(json, "backend").items()) {
    ThermalWindow::Infer infer;
    infer.node = node;
    if (backend.is_string()) infer.backend = backend.get<std::string>();
    infer.variant = read_text(child(json, "variant"), node);
    infer.performance_mode = read_text(child(json, "performance_mode"), node);
    infer.reason = read_text(child(json, "reason"), node);
    infer.step = read_small(child(json, "step"), node.c_str(), 0);
    if (const auto changes = child(json, "decisions").find(node); changes != child(json, "decisions").end())
      infer.changes = read_changes(*changes);
    if (const Json& first = child(child(json, "first"), node.c_str()); !first.empty())
      infer.first = read_decision(first);
    out.infer.push_back(std::move(infer));
  }
  return out;
}

// Empty, or what is not as `sluice thermal` writes it, so that windows would be lost.
std::string wrong_runs(const Json& runs) {
  if (!runs.is_array()) return "'runs' is no list";
  for (std::size_t r = 0; r < runs.size(); ++r) {
    if (!runs[r].is_object()) return fmt::format("runs[{}] is no map", r);
    if (!runs[r].contains("windows") || !runs[r]["windows"].is_array())
      return fmt::format("runs[{}] has no list 'windows'", r);
    const Json& windows = runs[r]["windows"];
    for (std::size_t w = 0; w < windows.size(); ++w) {
      if (!windows[w].is_object() || !read_number(windows[w], "t_s") || !read_number(windows[w], "seconds"))
        return fmt::format("runs[{}].windows[{}] has no numbers 't_s' and 'seconds'", r, w);
    }
  }
  return {};
}

ThermalRun read_run(const Json& json, double load_s) {
  ThermalRun out;
  out.policy = read_text(json, "policy");
  out.repetition = read_small(json, "repetition", 1);
  out.cool_down_s = read_number(json, "cool_down_s").value_or(0);
  out.cool_down = read_text(json, "cool_down");
  const auto complete = json.find("complete");
  out.complete = complete != json.end() && complete->is_boolean() && complete->get<bool>();
  for (const Json& w : json["windows"]) out.windows.push_back(read_window(w));
  out.simulated_backends = read_texts(json, "simulated_backends");
  out.notices = read_texts(json, "notices");
  out.results = results_of(out.windows, load_s);
  if (json.contains("delivered")) out.delivered_said = read_count(json, "delivered");
  return out;
}

// As RFC 4180 has it: a comma, a quote or a line end stands between quotes, and a quote twice.
std::string csv_text(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out.append(c == '"' ? 2 : 1, c);
  return out + "\"";
}

std::string csv_words(const std::vector<std::string>& words) {
  return csv_text(fmt::format("{}", fmt::join(words, " ")));
}

std::string csv_cell(const std::optional<double>& value) {
  return value ? fmt::format("{:.6g}", *value) : std::string();
}

void csv_row(const std::string& device, const ThermalRun& run, const ThermalWindow& w, std::string& out) {
  std::uint64_t dropped = 0;
  for (const auto& [reason, count] : w.dropped) dropped += count;
  out += fmt::format("{},{},{},{},{:.6g},{},{},{}", csv_text(device), csv_text(run.policy), run.repetition,
                     w.load ? "load" : "recovery", w.t_s, csv_cell(w.fps), w.delivered, dropped);
  for (const auto& value : {w.p50_ms, w.p95_ms, w.p99_ms}) out += fmt::format(",{}", csv_cell(value));
  for (const auto& value : w.temperature_c) out += fmt::format(",{}", csv_cell(value));
  for (const auto& value : w.clock_mhz) out += fmt::format(",{}", csv_cell(value));
  std::vector<std::string> places, drops, modes;
  for (const ThermalWindow::Infer& n : w.infer) {
    places.push_back(fmt::format("{}={}{}{}{}", n.node, n.backend, n.variant.empty() ? "" : "/", n.variant,
                                 n.step > 0 ? fmt::format("+{}", n.step) : ""));
    if (!n.performance_mode.empty()) modes.push_back(n.node + "=" + n.performance_mode);
  }
  for (const auto& [reason, count] : w.dropped) drops.push_back(fmt::format("{}={}", reason, count));
  out += fmt::format(",{},{},{},{},{},{}\n", csv_cell(w.power_w), csv_cell(w.rss_mb), csv_words(places),
                     csv_cell(w.energy_per_frame_j()), csv_words(drops), csv_words(modes));
}

}  // namespace

std::string thermal_json(const ThermalReport& report) {
  Json runs = Json::array(), limits = Json::array();
  for (const ThermalRun& run : report.runs) runs.push_back(run_json(run));
  for (const ThermalLimit& l : report.limits)
    limits.push_back({{"role", l.role}, {"limit_c", number(l.celsius)}});
  const Json out = {{"version", 1},
                    {"pipeline", report.pipeline},
                    {"pipeline_sha256", text_or_null(report.pipeline_sha256)},
                    {"models_sha256", text_or_null(report.models_sha256)},
                    {"profile_sha256", text_or_null(report.profile_sha256)},
                    {"simulated", report.simulated || !simulated_backends(report.runs).empty()},
                    {"device", report.device},
                    {"simulated_readings", text_or_null(report.readings)},
                    {"ambient_c", number(report.ambient_c)},
                    {"duration_s", number(report.duration_s)},
                    {"load", text_or_null(report.load)},
                    {"limits", limits},
                    {"runs", runs}};
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<ThermalReport> read_thermal_json(const std::string& path) {
  const auto refuse = [&](const std::string& why) { return invalid(path + ": " + why); };
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return refuse("cannot be read");
  if (size > kMostBytes) return refuse("is too large for a result of `sluice thermal --json`");
  std::ifstream in(path);
  const Json json = read_json<Json>(std::string{std::istreambuf_iterator<char>(in), {}});
  if (!json.is_object() || !json.contains("runs"))
    return refuse("no result of `sluice thermal --json` (it has no list 'runs')");
  if (read_number(json, "version") != 1.0) return refuse("its version is not 1, the only one that is known");
  if (const std::string wrong = wrong_runs(json["runs"]); !wrong.empty())
    return refuse("no result of `sluice thermal --json` (" + wrong + ")");
  ThermalReport out;
  out.pipeline = read_text(json, "pipeline");
  out.pipeline_sha256 = read_text(json, "pipeline_sha256");
  out.models_sha256 = read_text(json, "models_sha256");
  out.profile_sha256 = read_text(json, "profile_sha256");
  out.device = read_text(json, "device");
  out.readings = read_text(json, "simulated_readings");
  out.ambient_c = read_number(json, "ambient_c");
  out.duration_s = read_number(json, "duration_s").value_or(0);
  out.load = read_text(json, "load");
  if (const auto limits = json.find("limits"); limits != json.end() && limits->is_array()) {
    for (const Json& l : *limits) {
      if (l.is_object()) out.limits.push_back({read_text(l, "role"), read_number(l, "limit_c").value_or(0)});
    }
  }
  for (const Json& run : json["runs"]) out.runs.push_back(read_run(run, out.duration_s));
  // Else a backend alone was.
  out.simulated = json.value("simulated", Json(false)) == Json(true) && simulated_backends(out.runs).empty();
  return out;
}

std::string thermal_csv(const ThermalReport& report) {
  std::string out = "device,policy,repetition,phase,t_s,fps,delivered,dropped,p50_ms,p95_ms,p99_ms";
  for (std::size_t r = 0; r < kHeatRoles; ++r) out += fmt::format(",{}_c", name_of(static_cast<HeatRole>(r)));
  for (std::size_t r = 0; r < kUnitRoles; ++r)
    out += fmt::format(",{}_mhz", name_of(static_cast<UnitRole>(r)));
  out += ",power_w,rss_mb,infer,energy_per_frame_j,drops,performance_mode\n";
  std::string device = report.simulated ? "simulated " + report.device : report.device;
  if (!report.readings.empty()) device += " (readings simulated: " + report.readings + ")";
  if (const auto backends = simulated_backends(report.runs); !backends.empty())
    device += fmt::format(" (backends simulated: {})", fmt::join(backends, " "));
  for (const ThermalRun& run : report.runs) {
    for (const ThermalWindow& w : run.windows) csv_row(device, run, w, out);
  }
  return out;
}

}  // namespace sluice
