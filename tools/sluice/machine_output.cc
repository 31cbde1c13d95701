#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/sluice/machine.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json rounded(const std::optional<double>& value, double per_unit) {
  return value ? Json(std::round(*value * per_unit) / per_unit) : Json(nullptr);
}

// A share of 0.04 and a power of 0.04 W are not 0.
Json sensed(const std::optional<double>& value) { return rounded(value, 1e6); }

std::string with_unit(double value, const std::string& unit) {
  if (unit.empty()) return fmt::format("{:.0f} %", value * 100);
  return unit == "W" ? fmt::format("{:.4g} W", value) : fmt::format("{:.1f} {}", value, unit);
}

// "nspss0-thermal: npu 46.2 degrees C", "BAT0: power of the device 3.3 W", "soc: not used: no temperature:
// ...".
std::string sensor_line(const SensorState& s) {
  std::string out = s.name + ": ";
  if (s.role.empty() && !s.problem.empty()) return out + "not used: " + s.problem;
  if (!s.role.empty()) out += s.role + " ";
  if (s.quantity != "temperature" && s.name.find(s.quantity) == std::string::npos) out += s.quantity + " ";
  if (!s.now.value) return out + "unknown" + (s.problem.empty() ? "" : ": " + s.problem);
  return out + with_unit(*s.now.value, s.unit);
}

std::string part_line(const htp::Part& part) {
  if (part.problem.empty()) return "    " + part.name + ": " + part.found + "\n";
  return "    " + part.name + (part.needed ? ": missing: " : ": warning: ") + part.problem + "\n";
}

Json parts_json(const std::vector<htp::Part>& parts) {
  Json out = Json::array();
  for (const htp::Part& part : parts)
    out.push_back({{"name", part.name},
                   {"found", text_or_null(part.found)},
                   {"problem", text_or_null(part.problem)},
                   {"needed", part.needed}});
  return out;
}

}  // namespace

std::string machine_text(const Machine& m) {
  std::string out = fmt::format("sluice {} on {}, {} cores", m.version, m.architecture, m.cores);
  if (!m.cpu.empty()) out += " (" + m.cpu + ")";
  if (m.memory_mb) out += fmt::format(", {:.0f} MB memory", *m.memory_mb);
  out += "\nbackends\n";
  for (const BackendState& b : m.backends) {
    out += fmt::format("  {}: {}", b.name, b.available ? "available" : b.reason);
    if (b.available && b.simulated) out += ", simulated";
    out += b.version.empty() ? "\n" : " (" + b.version + ")\n";
    for (const htp::Part& part : b.parts) out += part_line(part);
  }
  out += "libraries\n";
  for (const LibraryState& l : m.libraries) {
    out += fmt::format("  {}: {}", l.name, l.version.value_or("missing"));
    if (!l.detail.empty()) out += " " + l.detail;
    out += l.warning.empty() ? "\n" : "; warning: " + l.warning + "\n";
  }
  out += "sensors\n";
  for (const SensorState& s : m.sensors) out += "  " + sensor_line(s) + "\n";
  if (m.sensors.empty()) out += "  none\n";
  out += "cameras\n";
  for (const std::string& camera : m.cameras) out += "  " + camera + "\n";
  if (m.cameras.empty()) out += "  none\n";
  return out;
}

std::string machine_json(const Machine& m) {
  Json backends = Json::array(), libraries = Json::array(), sensors = Json::array();
  for (const BackendState& b : m.backends) {
    backends.push_back({{"name", b.name},
                        {"available", b.available},
                        {"reason", b.available ? Json(nullptr) : Json(b.reason)},
                        {"simulated", b.simulated},
                        {"version", text_or_null(b.version)},
                        {"parts", parts_json(b.parts)}});
  }
  for (const LibraryState& l : m.libraries) {
    libraries.push_back({{"name", l.name},
                         {"version", l.version ? Json(*l.version) : Json(nullptr)},
                         {"detail", text_or_null(l.detail)},
                         {"warning", text_or_null(l.warning)}});
  }
  for (const SensorState& s : m.sensors) {
    const bool heat = s.quantity == "temperature";
    sensors.push_back({{"name", s.name},
                       {"quantity", s.quantity},
                       {"role", text_or_null(s.role)},
                       {"unit", text_or_null(s.unit)},
                       {"value", sensed(s.now.value)},
                       {"temperature_c", heat ? sensed(s.now.value) : Json(nullptr)},
                       {"problem", text_or_null(s.problem)}});
  }
  const Json out = {{"version", 1},
                    {"sluice", m.version},
                    {"architecture", m.architecture},
                    {"cpu", text_or_null(m.cpu)},
                    {"cores", m.cores},
                    {"memory_mb", rounded(m.memory_mb, 10)},
                    {"backends", backends},
                    {"libraries", libraries},
                    {"sensors", sensors},
                    {"cameras", m.cameras}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
