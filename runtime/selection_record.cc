#include "runtime/selection_record.h"

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "inference/foreign_json.h"
#include "runtime/readings_trace.h"

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kKey = "selection";
constexpr double kLongestMs = 1e8;                         // of a run: more than a day is a wrong unit
constexpr double kLeastAmbient = -50, kMostAmbient = 100;  // as of a profile
constexpr std::array kBases = {Basis::kUnknown, Basis::kAssumed, Basis::kPublished, Basis::kModelled,
                               Basis::kMeasured};

std::string line_of(Json content) {
  return Json{{std::string(kKey), std::move(content)}}.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// JSON has no infinity.
Json number(const std::optional<double>& value) {
  if (!value) return nullptr;
  return std::isfinite(*value) ? Json(*value) : Json(*value > 0 ? "inf" : "-inf");
}

Json estimate_json(const Estimate& e) { return {{"value", number(e.value)}, {"basis", name_of(e.basis)}}; }

Json candidate_json(const SelectorCandidate& c) {
  return {{"backend", c.backend},
          {"variant", c.variant},
          {"performance_mode", c.performance_mode},
          {"unit", name_of(c.unit)},
          {"preference", c.preference},
          {"operator_share", c.operator_share},
          {"snr_db", number(c.snr_db)},
          {"same_input_size", c.same_input_size},
          {"unusable", c.unusable},
          {"latency_ms", estimate_json(c.latency_ms)},
          {"latency_p95_ms", estimate_json(c.latency_p95_ms)},
          {"energy_mj", estimate_json(c.energy_mj)},
          {"switch_ms", c.switch_ms},
          {"warm_up_ms", c.warm_up_ms},
          {"memory_bytes", c.memory_bytes}};
}

Json step_json(const LadderStep& s) {
  Json out = Json::object();
  if (s.performance_mode) out["performance_mode"] = *s.performance_mode;
  if (s.variant) out["variant"] = *s.variant;
  if (s.backend) out["backend"] = *s.backend;
  if (s.rate_hz) out["rate_hz"] = *s.rate_hz;
  return out;
}

Json policy_json(const SelectorPolicy& p) {
  Json degrade = Json::array();
  for (const LadderStep& step : p.degrade) degrade.push_back(step_json(step));
  return {{"policy", name_of(p.kind)},
          {"target_fps", p.target_fps},
          {"latency_budget_ms", number(p.latency_budget_ms)},
          {"power_budget_w", number(p.power_budget_w)},
          {"max_temperature_c", number(p.max_temperature_c)},
          {"min_snr_db", number(p.min_snr_db)},
          {"dwell_s", p.dwell_s},
          {"min_gain", p.min_gain},
          {"degrade", degrade}};
}

template <std::size_t N, typename Role>
void add_values(Json& out, const char* key, const std::array<Reading, N>& readings, Role) {
  Json values = Json::object();
  for (std::size_t r = 0; r < N; ++r) {
    if (readings[r].value) values[std::string(name_of(static_cast<Role>(r)))] = *readings[r].value;
  }
  if (!values.empty()) out[key] = values;
}

// To the last bit, as the selector read them.
Json readings_json(const Readings& r) {
  Json out = {{"at_ns", r.at}};
  if (r.simulated) out["simulated"] = true;
  add_values(out, "temperature_c", r.temperature_c, HeatRole{});
  add_values(out, "clock_mhz", r.clock_mhz, UnitRole{});
  add_values(out, "max_clock_mhz", r.max_clock_mhz, UnitRole{});
  add_values(out, "utilisation", r.utilisation, UnitRole{});
  if (r.power_w.value) out["power_w"] = *r.power_w.value;
  if (r.pressure.value) out["pressure"] = *r.pressure.value;
  if (r.headroom.value) out["headroom"] = *r.headroom.value;
  return out;
}

Json runs_json(const RunMeter::Period& p) {
  Json out = {{"latency_ms", p.latency_ms}, {"runs", p.runs}};
  Json failures = Json::object();
  for (std::size_t c = 0; c < p.failures.size(); ++c) {
    if (p.failures[c] > 0) failures[std::to_string(c)] = p.failures[c];
  }
  if (!failures.empty()) out["failures"] = failures;
  return out;
}

Json decisions_json(std::span<const SelectionChange> changes) {
  Json out = Json::array();
  for (const SelectionChange& c : changes)
    out.push_back({{"node", c.node}, {"candidate", c.candidate}, {"step", c.step}, {"reason", c.reason}});
  return out;
}

// --- reading: the file is another program's until it is checked ---

// What is wrong with a line; thrown no further than read_line.
struct Wrong {
  std::string why;
};

const Json& member(const Json& map, std::string_view key) {
  const auto found = map.is_object() ? map.find(key) : map.end();
  if (found == map.end()) throw Wrong{fmt::format("'{}' is missing", key)};
  return *found;
}

double real(const Json& map, std::string_view key, double low, double high) {
  const Json& value = member(map, key);
  double number = std::numeric_limits<double>::quiet_NaN();
  if (value.is_number()) number = value.get<double>();
  if (value == Json("inf")) number = std::numeric_limits<double>::infinity();
  if (value == Json("-inf")) number = -std::numeric_limits<double>::infinity();
  if (number >= low && number <= high) return number;
  throw Wrong{fmt::format("'{}' is {}, must be {:g} to {:g}", key, value.dump(), low, high)};
}

std::optional<double> real_or_none(const Json& map, std::string_view key) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  return member(map, key).is_null() ? std::nullopt : std::optional(real(map, key, -kInfinity, kInfinity));
}

std::string text(const Json& map, std::string_view key) {
  const Json& value = member(map, key);
  if (!value.is_string()) throw Wrong{fmt::format("'{}' is no text", key)};
  return value.get<std::string>();
}

bool flag(const Json& map, std::string_view key) {
  const Json& value = member(map, key);
  if (!value.is_boolean()) throw Wrong{fmt::format("'{}' is neither true nor false", key)};
  return value.get<bool>();
}

std::int64_t whole(const Json& map, std::string_view key, std::int64_t low, std::int64_t high) {
  const Json& value = member(map, key);
  if (value.is_number_integer() && value.get<std::int64_t>() >= low && value.get<std::int64_t>() <= high)
    return value.get<std::int64_t>();
  throw Wrong{fmt::format("'{}' is {}, must be a whole number from {} to {}", key, value.dump(), low, high)};
}

TimeNs time_of(const Json& map) { return whole(map, "at_ns", -from_s(1e6), from_s(1e9)); }

Estimate read_estimate(const Json& map, std::string_view key) {
  const Json& json = member(map, key);
  const std::string name = text(json, "basis");
  const auto basis = std::find_if(kBases.begin(), kBases.end(), [&](Basis b) { return name_of(b) == name; });
  if (basis == kBases.end()) throw Wrong{fmt::format("'basis' is '{}'", name)};
  return {real(json, "value", 0, kLongestMs), *basis};
}

SelectorCandidate read_candidate(const Json& json) {
  SelectorCandidate out;
  out.backend = text(json, "backend");
  out.variant = text(json, "variant");
  out.performance_mode = text(json, "performance_mode");
  const std::string unit = text(json, "unit");
  for (std::size_t r = 0; r < kUnitRoles; ++r) {
    if (name_of(static_cast<UnitRole>(r)) == unit) out.unit = static_cast<UnitRole>(r);
  }
  if (name_of(out.unit) != unit) throw Wrong{fmt::format("'unit' is '{}'", unit)};
  out.preference = static_cast<int>(whole(json, "preference", 0, 1000));
  out.operator_share = real(json, "operator_share", 0, 1);
  out.snr_db = real_or_none(json, "snr_db");
  out.same_input_size = flag(json, "same_input_size");
  out.unusable = text(json, "unusable");
  out.latency_ms = read_estimate(json, "latency_ms");
  out.latency_p95_ms = read_estimate(json, "latency_p95_ms");
  out.energy_mj = read_estimate(json, "energy_mj");
  out.switch_ms = real(json, "switch_ms", 0, kLongestMs);
  out.warm_up_ms = real(json, "warm_up_ms", 0, kLongestMs);
  out.memory_bytes = static_cast<std::uint64_t>(whole(json, "memory_bytes", 0, INT64_MAX));
  return out;
}

template <std::size_t N, typename Role>
void read_values(const Json& json, const char* key, double low, double high, TimeNs at,
                 std::array<Reading, N>& out, Role) {
  const auto found = json.find(key);
  if (found == json.end()) return;
  for (std::size_t r = 0; r < N; ++r) {
    const std::string role(name_of(static_cast<Role>(r)));
    if (found->contains(role)) out[r] = {real(*found, role, low, high), at, Health::kGood};
  }
}

void read_value(const Json& json, const char* key, double high, TimeNs at, Reading& out) {
  if (json.contains(key)) out = {real(json, key, 0, high), at, Health::kGood};
}

Readings read_readings(const Json& json) {
  Readings out;
  out.at = time_of(json);
  out.simulated = json.contains("simulated");
  read_values(json, "temperature_c", kLeastCelsius, kMostCelsius, out.at, out.temperature_c, HeatRole{});
  read_values(json, "clock_mhz", 0, kMostMhz, out.at, out.clock_mhz, UnitRole{});
  read_values(json, "max_clock_mhz", 0, kMostMhz, out.at, out.max_clock_mhz, UnitRole{});
  read_values(json, "utilisation", 0, 1, out.at, out.utilisation, UnitRole{});
  read_value(json, "power_w", kMostWatts, out.at, out.power_w);
  read_value(json, "pressure", 1, out.at, out.pressure);
  read_value(json, "headroom", 100, out.at, out.headroom);
  return out;
}

RunMeter::Period read_runs(const Json& json) {
  RunMeter::Period out;
  out.latency_ms = real(json, "latency_ms", 0, kLongestMs);
  out.runs = static_cast<std::uint64_t>(whole(json, "runs", 0, INT64_MAX));
  if (!json.contains("failures")) return out;
  const Json& failures = json["failures"];
  for (std::size_t c = 0; c < out.failures.size(); ++c) {
    const std::string key = std::to_string(c);
    if (failures.contains(key))
      out.failures[c] = static_cast<std::uint32_t>(whole(failures, key, 0, UINT32_MAX));
  }
  return out;
}

// Takes the lines in, one after the other.
class Reader {
 public:
  explicit Reader(RecordedSelection& out) : out_(out) {}
  void take(const Json& json) {
    const std::string kind = text(json, "kind");
    if (ended_) throw Wrong{"a line behind the recording's end"};
    if (kind == "begin") return begin(json);
    if (out_.nodes.empty()) throw Wrong{"the line that begins the recording is missing"};
    if (kind == "start") {
      out_.start = time_of(json);
      out_.before_start = out_.steps.size();
      started_ = true;
    } else if (kind == "end") {
      out_.lost = static_cast<std::uint64_t>(whole(json, "lost", 0, INT64_MAX));
      ended_ = true;
    } else {
      event(kind, json);
    }
  }
  void finish() {
    out_.cut = !ended_;
    if (started_) return;
    out_.before_start = out_.steps.size();
    out_.start = out_.steps.empty() ? 0 : out_.steps.back().event.at;
  }

 private:
  void begin(const Json& json) {
    if (!out_.nodes.empty()) throw Wrong{"the recording begins twice"};
    whole(json, "version", 1, 1);
    out_.device = text(json, "device");
    if (json.contains("ambient_c")) out_.ambient_c = real(json, "ambient_c", kLeastAmbient, kMostAmbient);
    const Json& nodes = member(json, "nodes");
    for (const Json& node : nodes) {
      RecordedSelection::Node& added = out_.nodes.emplace_back();
      added.id = text(node, "id");
      added.policy = member(node, "policy").dump();
      for (const Json& candidate : member(node, "candidates"))
        added.candidates.push_back(read_candidate(candidate));
      if (node.contains("session_group"))
        added.session_group = static_cast<int>(whole(node, "session_group", 0, std::ssize(nodes)));
      if (node.contains("least_mode")) added.least_mode = text(node, "least_mode");
      if (added.candidates.empty() || added.candidates.size() > kMostCandidates)
        throw Wrong{fmt::format("node '{}' has {} candidates", added.id, added.candidates.size())};
    }
    if (out_.nodes.empty()) throw Wrong{"no node chooses"};
  }

  void event(const std::string& kind, const Json& json) {
    RecordedSelection::Step step;
    SelectionEvent& event = step.event;
    event.at = time_of(json);
    if (!out_.steps.empty() && event.at < out_.steps.back().event.at)
      throw Wrong{"'at_ns' is before the line before"};
    if (kind == "period") {
      event.readings = read_readings(member(json, "readings"));
      for (const Json& runs : member(json, "runs")) event.runs.push_back(read_runs(runs));
      if (event.runs.size() != out_.nodes.size()) throw Wrong{"'runs' has not one entry per node"};
      step.decisions = member(json, "decisions").dump();
    } else if (kind == "probe" || kind == "failure") {
      event.kind = kind == "probe" ? SelectionEvent::Kind::kProbe : SelectionEvent::Kind::kFailure;
      event.node = static_cast<std::size_t>(whole(json, "node", 0, std::ssize(out_.nodes) - 1));
      event.candidate = static_cast<std::size_t>(
          whole(json, "candidate", 0, std::ssize(out_.nodes[event.node].candidates) - 1));
      if (kind == "probe") event.latency_ms = real(json, "latency_ms", 0, kLongestMs);
      step.decisions = decisions_text({});
    } else {
      throw Wrong{fmt::format("'kind' is '{}'", kind)};
    }
    out_.steps.push_back(std::move(step));
  }

  RecordedSelection& out_;
  bool started_ = false, ended_ = false;
};

}  // namespace

std::string policy_text(const SelectorPolicy& policy) { return policy_json(policy).dump(); }

std::string decisions_text(std::span<const SelectionChange> changes) {
  return decisions_json(changes).dump();
}

std::string selection_begin_line(std::string_view device, std::optional<double> ambient_c,
                                 std::span<const SelectedNode> nodes) {
  Json list = Json::array();
  for (const SelectedNode& node : nodes) {
    Json candidates = Json::array();
    for (const SelectorCandidate& c : node.candidates) candidates.push_back(candidate_json(c));
    list.push_back({{"id", node.id}, {"policy", policy_json(node.policy)}, {"candidates", candidates}});
    if (node.session_group >= 0) list.back()["session_group"] = node.session_group;
    if (!node.least_mode.empty()) list.back()["least_mode"] = node.least_mode;
  }
  Json out = {{"kind", "begin"}, {"version", 1}, {"device", device}};
  if (ambient_c) out["ambient_c"] = *ambient_c;
  out["nodes"] = std::move(list);
  return line_of(std::move(out));
}

std::string selection_start_line(TimeNs at) { return line_of({{"kind", "start"}, {"at_ns", at}}); }

std::string selection_end_line(std::uint64_t lost_lines) {
  return line_of({{"kind", "end"}, {"lost", lost_lines}});
}

std::string selection_line(const SelectionEvent& event, std::span<const SelectionChange> changes) {
  if (event.kind == SelectionEvent::Kind::kPeriod) {
    Json runs = Json::array();
    for (const RunMeter::Period& period : event.runs) runs.push_back(runs_json(period));
    return line_of({{"kind", "period"},
                    {"at_ns", event.at},
                    {"readings", readings_json(event.readings)},
                    {"runs", runs},
                    {"decisions", decisions_json(changes)}});
  }
  const bool probe = event.kind == SelectionEvent::Kind::kProbe;
  Json out = {{"kind", probe ? "probe" : "failure"},
              {"at_ns", event.at},
              {"node", event.node},
              {"candidate", event.candidate}};
  if (probe) out["latency_ms"] = event.latency_ms;
  return line_of(std::move(out));
}

std::string recording_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_directory(path, error) ? path + "/readings.jsonl" : path;
}

Result<std::optional<RecordedSelection>> read_selection(const std::string& path) {
  RecordedSelection out;
  out.path = recording_file(path);
  std::ifstream in(out.path);
  if (!in) return invalid(out.path + ": cannot be read");
  Reader reader(out);
  int number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    const Json json = read_json<Json>(line);
    if (!json.is_object() || !json.contains(kKey)) continue;  // readings, or broken: read_trace says so
    try {
      reader.take(json[std::string(kKey)]);
    } catch (const Wrong& wrong) {
      return invalid(fmt::format("{}:{}: selection: {}", out.path, number, wrong.why));
    } catch (const Json::exception& e) {
      return invalid(fmt::format("{}:{}: selection: {}", out.path, number, e.what()));
    }
  }
  if (out.nodes.empty()) return std::optional<RecordedSelection>();
  reader.finish();
  return std::optional(std::move(out));
}

}  // namespace sluice
