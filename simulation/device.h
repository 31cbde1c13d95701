// SimulatedDevice: a profile that runs: units that are busy, heat that flows, a governor that slows down,
// sensors that read. Deterministic: the same calls give the same numbers on every machine.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/clock.h"
#include "inference/telemetry/readings.h"
#include "simulation/governor.h"
#include "simulation/profile.h"
#include "simulation/random.h"
#include "simulation/thermal_network.h"

namespace sluice {

// What one run asks of a unit.
struct Work {
  int unit = 0;
  double fixed_ms = 0;    // at any speed
  double compute_ms = 0;  // at full speed
  double speed = 1;       // of the performance mode
  double jitter = 0;
  bool beside = false;  // takes no queue of the unit and none of its power
  double extra_w = 0;   // heat beyond the unit's own while it runs (the fake backend's heat_w)
  bool operator==(const Work&) const = default;
};

// Not thread-safe.
class SimulatedDevice {
 public:
  SimulatedDevice(DeviceProfile profile, double ambient_c, std::uint64_t seed);
  SimulatedDevice(const SimulatedDevice&) = delete;

  const DeviceProfile& profile() const { return profile_; }
  // Lets time pass; `now` never goes back.
  void advance(TimeNs now);
  // Queues the work at `now` (the device has been advanced to it): when it starts and ends.
  struct Span {
    TimeNs start = 0, end = 0;
  };
  Span run(const Work& work, TimeNs now);
  TimeNs now() const { return time_; }
  // What its sensors say; advance first. `now`, on whatever clock, only stamps them.
  Readings readings(TimeNs now);
  // The truth behind them.
  double temperature(int node) const { return network_.temperature(node); }
  double power_w() const { return power_w_; }  // of the last step
  double energy_j() const { return energy_j_; }
  double ambient_c() const { return network_.ambient_c(); }
  double cap(int unit) const { return governor_.cap(unit); }
  struct Idle {
    double seconds = 0;
    bool steady = false;
  };
  // Lets it idle, at most so long, until no temperature has moved more than `kelvin_per_minute`: the
  // cool-down before a test. It is asked once a minute.
  Idle settle(double kelvin_per_minute, double most_s);

 private:
  struct Busy {
    TimeNs start, end;
    double watts;
    double queues;  // how many it takes: 1, or 0 beside them
    double speed;
  };
  void step();
  double busy_share(std::size_t unit, TimeNs from, TimeNs to, double& watts);
  void step_sensors();
  double shown_speed(std::size_t unit) const;

  DeviceProfile profile_;
  ThermalNetwork network_;
  Governor governor_;
  Random random_;
  TimeNs time_ = 0;
  TimeNs governed_at_ = 0;
  std::vector<std::vector<Busy>> busy_;       // by unit
  std::vector<std::vector<TimeNs>> free_at_;  // [unit][queue]
  std::vector<double> heat_;                  // by node, W, of the step
  std::vector<double> shares_;                // by unit, since the governor's last act
  std::vector<double> load_;                  // by unit, since the last readings
  std::vector<double> clock_;                 // by unit, since then: speed times load
  TimeNs load_since_ = 0;
  std::vector<double> lagged_;  // by sensor
  double power_w_ = 0;
  double energy_j_ = 0;
  double energy_read_j_ = 0;
};

}  // namespace sluice
