// What the device itself does about heat: caps the speeds of its units. The selector does not see it.
#pragma once

#include <span>
#include <vector>

#include "simulation/profile.h"

namespace sluice {

class Governor {
 public:
  // Both outlive this.
  explicit Governor(const DeviceProfile& profile);

  // Called once per period with the nodes' temperatures and the units' shares of time at work.
  void act(std::span<const double> temperatures, std::span<const double> busy);
  // Share of full speed that a unit may have now.
  double cap(int unit) const { return caps_[static_cast<std::size_t>(unit)]; }
  const std::vector<double>& caps() const { return caps_; }

 private:
  void step_trips(std::span<const double> temperatures);
  void allocate_power(std::span<const double> temperatures, std::span<const double> busy);
  double allowed_w(const TripProfile& trip, std::size_t index, double celsius);

  const DeviceProfile* profile_;
  std::vector<double> caps_;       // by unit
  std::vector<double> trip_caps_;  // [trip][unit]
  std::vector<double> integrals_;  // IPA: by trip
};

}  // namespace sluice
