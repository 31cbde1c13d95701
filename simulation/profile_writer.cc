#include "simulation/profile_writer.h"

#include <fmt/format.h>

namespace sluice {
namespace {

// Double-quoted, so that no text is read as something else.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + "\"";
}

std::string number(double value) { return fmt::format("{:.6g}", value); }

std::string origin(const Origin& o) {
  return fmt::format("label: {}, from: {}", name_of(o.label), quoted(o.from));
}

std::string node_name(const DeviceProfile& p, int node) {
  return node == kAmbient ? "ambient" : p.nodes[static_cast<std::size_t>(node)].name;
}

void thermal(const DeviceProfile& p, std::string& out) {
  out += fmt::format("thermal:\n  label: {}\n  from: {}\n  nodes:\n", name_of(p.thermal_origin.label),
                     quoted(p.thermal_origin.from));
  for (const ThermalNode& n : p.nodes) out += fmt::format("    {}: {}\n", n.name, number(n.heat_j_per_k));
  out += "  links:\n";
  for (const ThermalLink& l : p.links)
    out += fmt::format("    - {{a: {}, b: {}, k_per_w: {}}}\n", node_name(p, l.a), node_name(p, l.b),
                       number(l.k_per_w));
}

void units(const DeviceProfile& p, std::string& out) {
  out += "units:\n";
  for (const UnitProfile& u : p.units) {
    out += fmt::format(
        "  {}: {{role: {}, node: {}, idle_w: {}, active_w: {}, queues: {}, min_speed: {}, max_mhz: {}, "
        "{}}}\n",
        u.name, name_of(u.role), node_name(p, u.node), number(u.idle_w), number(u.active_w), u.queues,
        number(u.min_speed), number(u.max_mhz), origin(u.origin));
  }
  out += fmt::format("rest: {{watts: {}, node: {}, {}}}\n", number(p.rest_w), node_name(p, p.rest_node),
                     origin(p.thermal_origin));
}

void backends(const DeviceProfile& p, std::string& out) {
  out += "backends:\n";
  for (const BackendProfile& b : p.backends) {
    out += fmt::format("  {}: {{unit: {}, overhead_ms: {}, base_ms: {}, gmacs_per_s: {}, jitter: {}, {}",
                       b.name, p.units[static_cast<std::size_t>(b.unit)].name, number(b.overhead_ms),
                       number(b.base_ms), number(b.gmacs_per_s), number(b.jitter), origin(b.origin));
    for (std::size_t m = 0; m < b.modes.size(); ++m)
      out += fmt::format("{}{}: {}", m == 0 ? ", modes: {" : ", ", b.modes[m].name, number(b.modes[m].speed));
    out += b.modes.empty() ? "}\n" : "}}\n";
  }
  if (!p.models.empty()) out += "models:\n";
  for (const ModelProfile& m : p.models) {
    out += "  - {files: [";
    for (std::size_t f = 0; f < m.files.size(); ++f) out += (f ? ", " : "") + quoted(m.files[f]);
    out += fmt::format("], backend: {}, latency_ms: {}, {}}}\n", m.backend, number(m.latency_ms),
                       origin(m.origin));
  }
}

void governor(const DeviceProfile& p, std::string& out) {
  const GovernorProfile& g = p.governor;
  const char* const kind = g.kind == GovernorKind::kStep  ? "step"
                           : g.kind == GovernorKind::kIpa ? "ipa"
                                                          : "none";
  out += fmt::format("governor:\n  kind: {}\n  period_s: {}\n  label: {}\n  from: {}\n", kind,
                     number(g.period_s), name_of(g.origin.label),
                     quoted(g.origin.from.empty() ? "none" : g.origin.from));
  if (g.kind == GovernorKind::kIpa) {
    out += fmt::format("  sustainable_w: {}\n  k_po: {}\n  k_pu: {}\n  k_i: {}\n  switch_on_below_c: {}\n",
                       number(g.sustainable_w), number(g.k_po), number(g.k_pu), number(g.k_i),
                       number(g.switch_on_below_c));
  }
  if (!g.trips.empty()) out += "  trips:\n";
  for (const TripProfile& t : g.trips) {
    out += fmt::format("    - {{node: {}, limit_c: {}, hysteresis_c: {}, step: {}, slows: [",
                       node_name(p, t.node), number(t.limit_c), number(t.hysteresis_c), number(t.step));
    for (std::size_t s = 0; s < t.slows.size(); ++s)
      out += (s ? ", " : "") + p.units[static_cast<std::size_t>(t.slows[s])].name;
    out += "]}\n";
  }
}

}  // namespace

std::string profile_yaml(const DeviceProfile& p) {
  std::string out = fmt::format("version: 1\nname: {}\n", quoted(p.name));
  if (!p.about.empty()) out += fmt::format("about: {}\n", quoted(p.about));
  out += fmt::format("ambient_c: {}\npower_noise: {}\n", number(p.ambient_c), number(p.power_noise));
  thermal(p, out);
  units(p, out);
  backends(p, out);
  out += "nodes:\n";
  for (const NodeCostProfile& n : p.node_costs)
    out += fmt::format("  {}: {{ms: {}, {}}}\n", n.type, number(n.ms), origin(n.origin));
  out += "sensors:\n";
  for (const SensorProfile& s : p.sensors) {
    out += fmt::format("  {}: {{node: {}, noise_c: {}, step_c: {}, lag_s: {}}}\n", name_of(s.role),
                       node_name(p, s.node), number(s.noise_c), number(s.step_c), number(s.lag_s));
  }
  governor(p, out);
  return out;
}

}  // namespace sluice
