// What was fitted, as a profile and in words.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "simulation/fit.h"

namespace sluice {
namespace {

DeviceProfile with_network(const FittedDevice& fitted, DeviceProfile out) {
  out.nodes.clear();
  out.links.clear();
  out.sensors.clear();
  const int case_node = static_cast<int>(fitted.units.size());
  for (const FittedUnit& u : fitted.units) {
    const int node = static_cast<int>(out.nodes.size());
    out.nodes.push_back({std::string(name_of(u.role)) + "_die", u.heat_j_per_k.value});
    out.links.push_back({node, case_node, u.k_per_w.value});
    out.sensors.push_back({heat_role(u.role), node, u.rms_c, 0, u.lag_s.value});
  }
  out.nodes.push_back({"case", fitted.case_j_per_k.value});
  out.links.push_back({case_node, kAmbient, fitted.case_k_per_w.value});
  out.sensors.push_back({HeatRole::kSkin, case_node, fitted.case_rms_c, 0, fitted.case_lag_s.value});
  return out;
}

// What a unit draws above idle, by a profile.
double above_idle(const UnitProfile& unit) { return unit.active_w - unit.idle_w; }

// What of the idle power is that of units that were not fitted, by `base`.
double steady_w(const FittedDevice& fitted, const DeviceProfile& base) {
  double out = 0;
  for (const SteadyLoad& steady : fitted.steady) {
    if (const UnitProfile* const unit = base.unit(steady.role)) out += above_idle(*unit) * steady.load;
  }
  return out;
}

// A unit that was not fitted: what it draws stands in `base`, but it draws no more than there was.
void keep_unit(const FittedDevice& fitted, double steady, const Origin& origin, UnitProfile& unit) {
  unit.active_w = above_idle(unit);
  const bool worked = std::ranges::count(fitted.steady, unit.role, &SteadyLoad::role) > 0;
  const double idle = std::max(0.0, fitted.idle_w.value);
  if (!worked || steady <= idle) return;
  unit.active_w *= idle / steady;
  unit.origin = origin;
}

void fit_unit(const FittedUnit& fitted, int node, const Origin& origin, UnitProfile& unit) {
  unit.node = node;
  unit.active_w = fitted.active_w.value;
  unit.origin = origin;
}

std::string line(std::string_view what, const FittedValue& v, std::string_view unit) {
  return fmt::format("  {:<28} {:9.4g} +- {:.2g} {}\n", what, v.value, v.sigma, unit);
}

}  // namespace

DeviceProfile to_profile(const FittedDevice& fitted, const DeviceProfile& base, std::string name) {
  const std::vector<ThermalNode>& old_nodes = base.nodes;
  DeviceProfile out = with_network(fitted, base);
  const int case_node = static_cast<int>(fitted.units.size());
  const Origin origin{Label::kFitted, fmt::format("sluice fit, {} samples", fitted.samples)};
  out.name = std::move(name);
  out.about = "fitted to recorded runs";
  out.thermal_origin = origin;
  out.ambient_c = fitted.ambient_c.value;
  const double steady = steady_w(fitted, base);
  out.rest_w = std::max(0.0, fitted.idle_w.value - steady);
  out.rest_node = case_node;
  // Trips keep their limits; one of a node that was not fitted watches the case.
  const auto new_node = [&](int old) {
    for (std::size_t n = 0; n < out.nodes.size(); ++n) {
      if (out.nodes[n].name == old_nodes[static_cast<std::size_t>(old)].name) return static_cast<int>(n);
    }
    return case_node;
  };
  for (TripProfile& trip : out.governor.trips) trip.node = new_node(trip.node);
  for (UnitProfile& unit : out.units) {
    const auto found = std::ranges::find(fitted.units, unit.role, &FittedUnit::role);
    unit.node = case_node;
    if (found == fitted.units.end())
      keep_unit(fitted, steady, origin, unit);
    else
      fit_unit(*found, static_cast<int>(found - fitted.units.begin()), origin, unit);
    unit.idle_w = 0;  // within the rest
  }
  return out;
}

std::string describe(const FittedDevice& f, const DeviceProfile& base) {
  std::string out = fmt::format("fitted to {} samples\n", f.samples);
  out += line("idle power", f.idle_w, "W");
  if (const double steady = steady_w(f, base); steady > 0)
    out += fmt::format("  {:<28} {:9.4g} W\n", "of it units not fitted", std::min(steady, f.idle_w.value));
  for (const FittedUnit& u : f.units) {
    const std::string name(name_of(u.role));
    out += line(name + " power at full load", u.active_w, "W");
    out += line(name + " die", u.heat_j_per_k, "J/K");
    out += line(name + " die to case", u.k_per_w, "K/W");
    out += line(name + " sensor lag", u.lag_s, "s");
    out += fmt::format("  {:<28} {:9.3g} degrees C rms\n", name + " residual", u.rms_c);
  }
  out += line("case", f.case_j_per_k, "J/K");
  out += line("case to ambient", f.case_k_per_w, "K/W");
  out += line("skin sensor lag", f.case_lag_s, "s");
  out += fmt::format("  {:<28} {:9.3g} degrees C rms\n", "skin residual", f.case_rms_c);
  out += line("ambient", f.ambient_c, "degrees C");
  for (const FittedAmbient& a : f.ambients) out += line("ambient of " + a.trace, a.celsius, "degrees C");
  out += fmt::format("  {:<28} {:9.3g} W rms\n", "power residual", f.power_rms_w);
  return out;
}

}  // namespace sluice
