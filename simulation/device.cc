#include "simulation/device.h"

#include <algorithm>
#include <cmath>

#include "simulation/power_law.h"

namespace sluice {
namespace {

// Short against the fastest die (1 s) and the governor's period.
constexpr double kStepS = 0.1;
constexpr TimeNs kStep = 100'000'000;

double rounded_to(double value, double step) {
  return step > 0 ? std::floor(value / step + 0.5) * step : value;
}

}  // namespace

SimulatedDevice::SimulatedDevice(DeviceProfile profile, double ambient_c, std::uint64_t seed)
    : profile_(std::move(profile)),
      network_(profile_.nodes, profile_.links, ambient_c, kStepS),
      governor_(profile_),
      random_(seed),
      busy_(profile_.units.size()),
      heat_(profile_.nodes.size()),
      shares_(profile_.units.size()),
      load_(profile_.units.size()),
      clock_(profile_.units.size()),
      lagged_(profile_.sensors.size(), ambient_c) {
  for (const UnitProfile& unit : profile_.units)
    free_at_.emplace_back(static_cast<std::size_t>(unit.queues), TimeNs{0});
}

void SimulatedDevice::advance(TimeNs now) {
  while (time_ + kStep <= now) step();
}

SimulatedDevice::Span SimulatedDevice::run(const Work& work, TimeNs now) {
  const auto u = static_cast<std::size_t>(work.unit);
  const UnitProfile& unit = profile_.units[u];
  TimeNs& free = *std::min_element(free_at_[u].begin(), free_at_[u].end());
  Span out;
  out.start = work.beside ? now : std::max(now, free);
  const double speed = std::min(work.speed, governor_.cap(work.unit));
  // Triangular around 1: the sum of two uniforms.
  const double spread = work.jitter > 0 ? 1 + work.jitter * (random_.uniform() + random_.uniform() - 1) : 1.0;
  const double ms = (work.fixed_ms + work.compute_ms / speed) * spread;
  out.end = out.start + std::max<TimeNs>(1, from_ms(ms));
  const double own_w = (unit.active_w - unit.idle_w) / unit.queues * power_share(speed);
  if (!work.beside) free = out.end;
  busy_[u].push_back(
      {out.start, out.end, (work.beside ? 0 : own_w) + work.extra_w, work.beside ? 0.0 : 1.0, speed});
  return out;
}

// The mean power of the unit's runs between two moments, and the share of its queues that was busy.
double SimulatedDevice::busy_share(std::size_t unit, TimeNs from, TimeNs to, double& watts) {
  std::vector<Busy>& runs = busy_[unit];
  double share = 0;
  for (const Busy& run : runs) {
    const TimeNs overlap = std::min(run.end, to) - std::max(run.start, from);
    if (overlap <= 0) continue;
    const double part = static_cast<double>(overlap) / static_cast<double>(to - from);
    const double queues = part * run.queues / profile_.units[unit].queues;
    share += queues;
    clock_[unit] += queues * run.speed * kStepS;
    watts += part * run.watts;
  }
  std::erase_if(runs, [to](const Busy& run) { return run.end <= to; });
  return share;
}

void SimulatedDevice::step() {
  const TimeNs to = time_ + kStep;
  std::fill(heat_.begin(), heat_.end(), 0.0);
  if (!heat_.empty()) heat_[static_cast<std::size_t>(profile_.rest_node)] += profile_.rest_w;
  power_w_ = profile_.rest_w;
  for (std::size_t u = 0; u < profile_.units.size(); ++u) {
    double watts = profile_.units[u].idle_w;
    const double share = busy_share(u, time_, to, watts);
    shares_[u] += share * kStepS;
    load_[u] += share * kStepS;
    heat_[static_cast<std::size_t>(profile_.units[u].node)] += watts;
    power_w_ += watts;
  }
  energy_j_ += power_w_ * kStepS;
  network_.step(heat_);
  time_ = to;
  step_sensors();
  if (to_s(time_ - governed_at_) + 1e-9 < profile_.governor.period_s) return;
  for (double& share : shares_) share /= to_s(time_ - governed_at_);
  governor_.act(network_.temperatures(), shares_);
  std::fill(shares_.begin(), shares_.end(), 0.0);
  governed_at_ = time_;
}

void SimulatedDevice::step_sensors() {
  for (std::size_t s = 0; s < lagged_.size(); ++s) {
    const SensorProfile& sensor = profile_.sensors[s];
    const double truth = network_.temperature(sensor.node);
    lagged_[s] += (truth - lagged_[s]) * (kStepS / (kStepS + sensor.lag_s));
  }
}

// The mean clock of what ran, which its performance mode sets as well as the governor; of a unit that did
// nothing, the clock that it may have.
double SimulatedDevice::shown_speed(std::size_t unit) const {
  return load_[unit] > 0 ? clock_[unit] / load_[unit] : governor_.cap(static_cast<int>(unit));
}

Readings SimulatedDevice::readings(TimeNs now) {
  Readings out;
  out.at = now;
  out.simulated = true;
  for (std::size_t s = 0; s < lagged_.size(); ++s) {
    const SensorProfile& sensor = profile_.sensors[s];
    const double noisy = lagged_[s] + sensor.noise_c * random_.normal();
    Reading& reading = out.temperature(sensor.role);
    const double shown = rounded_to(noisy, sensor.step_c);
    if (!reading.value || shown > *reading.value) reading = {shown, now, Health::kGood};
  }
  const double seconds = to_s(time_ - load_since_);
  for (std::size_t u = 0; u < profile_.units.size(); ++u) {
    const UnitProfile& unit = profile_.units[u];
    const auto role = static_cast<std::size_t>(unit.role);
    if (seconds > 0) out.utilisation[role] = {std::min(1.0, load_[u] / seconds), now, Health::kGood};
    if (unit.max_mhz <= 0) continue;
    out.clock_mhz[role] = {unit.max_mhz * shown_speed(u), now, Health::kGood};
    out.max_clock_mhz[role] = {unit.max_mhz, now, Health::kGood};
  }
  if (seconds > 0) {
    const double watts = (energy_j_ - energy_read_j_) / seconds;
    const double noisy = std::max(0.0, watts * (1 + profile_.power_noise * random_.normal()));
    out.power_w = {noisy, now, Health::kGood};
    energy_read_j_ = energy_j_;
    std::fill(load_.begin(), load_.end(), 0.0);
    std::fill(clock_.begin(), clock_.end(), 0.0);
    load_since_ = time_;
  }
  return out;
}

SimulatedDevice::Idle SimulatedDevice::settle(double kelvin_per_minute, double most_s) {
  const TimeNs start = time_, most = start + from_s(most_s), minute = from_s(60);
  bool steady = false;
  while (!steady && time_ + minute <= most) {
    const std::vector<double> before(network_.temperatures().begin(), network_.temperatures().end());
    advance(time_ + minute);
    double moved = 0;
    for (std::size_t n = 0; n < before.size(); ++n)
      moved = std::max(moved, std::abs(before[n] - network_.temperature(static_cast<int>(n))));
    steady = moved <= kelvin_per_minute;
  }
  if (!steady) advance(most);
  return {to_s(time_ - start), steady};
}

}  // namespace sluice
