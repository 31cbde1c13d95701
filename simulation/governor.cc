#include "simulation/governor.h"

#include <algorithm>

#include "simulation/power_law.h"

namespace sluice {

Governor::Governor(const DeviceProfile& profile)
    : profile_(&profile),
      caps_(profile.units.size(), 1.0),
      trip_caps_(profile.units.size() * profile.governor.trips.size(), 1.0),
      integrals_(profile.governor.trips.size()) {}

void Governor::act(std::span<const double> temperatures, std::span<const double> busy) {
  if (profile_->governor.kind == GovernorKind::kNone) return;
  if (profile_->governor.kind == GovernorKind::kStep) {
    step_trips(temperatures);
  } else {
    allocate_power(temperatures, busy);
  }
  const std::size_t units = caps_.size();
  for (std::size_t u = 0; u < units; ++u) {
    caps_[u] = 1;
    for (std::size_t t = 0; t < integrals_.size(); ++t)
      caps_[u] = std::min(caps_[u], trip_caps_[t * units + u]);
  }
}

void Governor::step_trips(std::span<const double> temperatures) {
  for (std::size_t t = 0; t < profile_->governor.trips.size(); ++t) {
    const TripProfile& trip = profile_->governor.trips[t];
    const double now = temperatures[static_cast<std::size_t>(trip.node)];
    double change = 0;
    if (now > trip.limit_c) change = -trip.step;
    if (now < trip.limit_c - trip.hysteresis_c) change = trip.step;
    for (const int unit : trip.slows) {
      const auto u = static_cast<std::size_t>(unit);
      double& cap = trip_caps_[t * caps_.size() + u];
      cap = std::clamp(cap + change, profile_->units[u].min_speed, 1.0);
    }
  }
}

// Each unit gets the part of the allowed power that it asks for: its power at full speed times its load.
void Governor::allocate_power(std::span<const double> temperatures, std::span<const double> busy) {
  for (std::size_t t = 0; t < profile_->governor.trips.size(); ++t) {
    const TripProfile& trip = profile_->governor.trips[t];
    const double now = temperatures[static_cast<std::size_t>(trip.node)];
    const bool on = now >= trip.limit_c - profile_->governor.switch_on_below_c;
    double wanted = 0, idle = 0;
    for (const int unit : trip.slows) {
      const UnitProfile& u = profile_->units[static_cast<std::size_t>(unit)];
      wanted += (u.active_w - u.idle_w) * std::max(0.05, busy[static_cast<std::size_t>(unit)]);
      idle += u.idle_w;
    }
    if (!on) integrals_[t] = 0;
    const double share =
        on && wanted > 0 ? std::clamp((allowed_w(trip, t, now) - idle) / wanted, 0.0, 1.0) : 1.0;
    for (const int unit : trip.slows) {
      const auto u = static_cast<std::size_t>(unit);
      trip_caps_[t * caps_.size() + u] = std::max(profile_->units[u].min_speed, speed_for(share));
    }
  }
}

double Governor::allowed_w(const TripProfile& trip, std::size_t index, double celsius) {
  const GovernorProfile& g = profile_->governor;
  const double error = trip.limit_c - celsius;
  const double proportional = (error < 0 ? g.k_po : g.k_pu) * error;
  // As the kernel: the integral works near the limit alone, and is bounded.
  if (error < g.switch_on_below_c) integrals_[index] += g.k_i * error * g.period_s;
  integrals_[index] = std::clamp(integrals_[index], -g.sustainable_w, g.sustainable_w);
  return std::max(0.0, g.sustainable_w + proportional + integrals_[index]);
}

}  // namespace sluice
