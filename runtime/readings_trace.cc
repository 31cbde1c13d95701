#include "runtime/readings_trace.h"

#include "inference/foreign_json.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace sluice {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kMostSeconds = 4e9;  // the time of day since 1970 may be told; milliseconds of it are not
constexpr std::uintmax_t kMostBytes = 256u << 20;

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

template <std::size_t N, typename Role>
Json roles_json(const std::array<Reading, N>& readings, Role) {
  Json out = Json::object();
  for (std::size_t r = 0; r < N; ++r) {
    if (readings[r].value) out[std::string(name_of(static_cast<Role>(r)))] = rounded(*readings[r].value);
  }
  return out;
}

struct Limits {
  double low, high;
  const char* unit;
};

// What is wrong with the first value that is; empty: nothing.
std::string read_value(const Json& map, const std::string& key, Limits limits, TimeNs at, Reading& out) {
  const auto found = map.find(key);
  if (found == map.end() || found->is_null()) return {};
  if (!found->is_number()) return fmt::format("'{}' is no number", key);
  const double value = found->get<double>();
  if (value < limits.low || value > limits.high)
    return fmt::format("'{}' is {:g}, must be {:g} to {:g} {}", key, value, limits.low, limits.high,
                       limits.unit);
  out = {value, at, Health::kGood};
  return {};
}

template <std::size_t N, typename Role>
std::string read_roles(const Json& line, const char* key, Limits limits, TimeNs at,
                       std::array<Reading, N>& out, Role) {
  const auto map = line.find(key);
  if (map == line.end()) return {};
  if (!map->is_object()) return fmt::format("'{}' is no map", key);
  for (std::size_t r = 0; r < N; ++r) {
    const std::string role(name_of(static_cast<Role>(r)));
    std::string wrong = read_value(*map, role, limits, at, out[r]);
    if (!wrong.empty()) return std::string(key) + ": " + wrong;
  }
  return {};
}

std::string read_line(const Json& line, Readings& out) {
  if (!line.is_object()) return "no JSON object";
  const auto time = line.find("t_s");
  if (time == line.end() || !time->is_number()) return "'t_s', the time in seconds, is missing";
  const double seconds = time->get<double>();
  if (std::abs(seconds) > kMostSeconds)
    return fmt::format("'t_s' is {:g}, must be {:g} to {:g} s", seconds, -kMostSeconds, kMostSeconds);
  out.at = from_s(seconds);
  std::string wrong = read_roles(line, "temperature_c", {kLeastCelsius, kMostCelsius, "degrees C"}, out.at,
                                 out.temperature_c, HeatRole{});
  if (wrong.empty())
    wrong = read_roles(line, "clock_mhz", {0, kMostMhz, "MHz"}, out.at, out.clock_mhz, UnitRole{});
  if (wrong.empty())
    wrong = read_roles(line, "max_clock_mhz", {0, kMostMhz, "MHz"}, out.at, out.max_clock_mhz, UnitRole{});
  if (wrong.empty())
    wrong = read_roles(line, "utilisation", {0, 1, "share"}, out.at, out.utilisation, UnitRole{});
  if (wrong.empty()) wrong = read_value(line, "power_w", {0, kMostWatts, "W"}, out.at, out.power_w);
  return wrong;
}

}  // namespace

std::string reading_line(const Readings& r) {
  Json out = {{"t_s", rounded(to_s(r.at))}};
  if (r.simulated) out["simulated"] = true;
  out["temperature_c"] = roles_json(r.temperature_c, HeatRole{});
  out["clock_mhz"] = roles_json(r.clock_mhz, UnitRole{});
  out["max_clock_mhz"] = roles_json(r.max_clock_mhz, UnitRole{});
  out["utilisation"] = roles_json(r.utilisation, UnitRole{});
  if (r.power_w.value) out["power_w"] = rounded(*r.power_w.value);
  return out.dump();
}

Result<RecordedRun> read_trace(const std::string& path, bool samples_needed) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return invalid(path + ": cannot be read");
  if (size > kMostBytes) return invalid(fmt::format("{}: {} bytes are no trace of a run", path, size));
  std::ifstream in(path);
  RecordedRun out{path, {}};
  int number = 0;
  bool selects = false;
  for (std::string text; std::getline(in, text);) {
    ++number;
    const auto refuse = [&](const std::string& why) {
      return invalid(fmt::format("{}:{}: {}", path, number, why));
    };
    const Json line = read_json<Json>(text);
    if (line.is_discarded()) return refuse(in.eof() ? "the last line was cut; remove it" : "no JSON object");
    if (line.is_object() && line.contains("selection")) {
      selects = true;
      continue;
    }
    Readings readings;
    if (const std::string wrong = read_line(line, readings); !wrong.empty()) return refuse(wrong);
    if (!out.samples.empty() && readings.at <= out.samples.back().at)
      return refuse(fmt::format("'t_s' is {:g}, which is not after the line before", to_s(readings.at)));
    out.samples.push_back(readings);
  }
  if (out.samples.empty() && (samples_needed || !selects)) return invalid(path + ": has no samples");
  return out;
}

}  // namespace sluice
