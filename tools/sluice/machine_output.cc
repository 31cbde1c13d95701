#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/sluice/machine.h"

namespace sluice::cli {
namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(const std::string& text) { return text.empty() ? Json(nullptr) : Json(text); }

Json rounded(const std::optional<double>& value) {
  return value ? Json(std::round(*value * 10) / 10) : Json(nullptr);
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
  }
  out += "libraries\n";
  for (const LibraryState& l : m.libraries) {
    out += fmt::format("  {}: {}", l.name, l.version.value_or("missing"));
    if (!l.detail.empty()) out += " " + l.detail;
    out += l.warning.empty() ? "\n" : "; warning: " + l.warning + "\n";
  }
  out += "sensors\n";
  for (const Sensor& s : m.sensors) {
    out += fmt::format("  {}: {}\n", s.name,
                       s.celsius ? fmt::format("{:.1f} degrees C", *s.celsius) : "cannot be read");
  }
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
                        {"version", text_or_null(b.version)}});
  }
  for (const LibraryState& l : m.libraries) {
    libraries.push_back({{"name", l.name},
                         {"version", l.version ? Json(*l.version) : Json(nullptr)},
                         {"detail", text_or_null(l.detail)},
                         {"warning", text_or_null(l.warning)}});
  }
  for (const Sensor& s : m.sensors)
    sensors.push_back({{"name", s.name}, {"temperature_c", rounded(s.celsius)}});
  const Json out = {{"version", 1},
                    {"sluice", m.version},
                    {"architecture", m.architecture},
                    {"cpu", text_or_null(m.cpu)},
                    {"cores", m.cores},
                    {"memory_mb", rounded(m.memory_mb)},
                    {"backends", backends},
                    {"libraries", libraries},
                    {"sensors", sensors},
                    {"cameras", m.cameras}};
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace sluice::cli
