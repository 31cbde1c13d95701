#include "runtime/simulated_telemetry.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

constexpr std::uint64_t kSeed = 1;

double busy_before(const std::vector<BackendLoad>& loads, const BackendLoad& now) {
  for (const BackendLoad& l : loads) {
    if (l.node == now.node && l.backend == now.backend) return l.busy_ms;
  }
  return 0;
}

}  // namespace

SimulatedTelemetry::SimulatedTelemetry(DeviceProfile profile, Load load)
    : device_(profile, profile.ambient_c, kSeed), load_(std::move(load)) {}

// What ran since the sample before is laid into the time between: the model's clock is one period behind.
Readings SimulatedTelemetry::sample(TimeNs now) {
  if (start_ < 0) start_ = now;
  const TimeNs device_now = now - start_;
  const TimeNs span = device_now - device_.now();
  std::vector<BackendLoad> loads = load_();
  for (const BackendLoad& l : loads)
    heat(l, std::min(l.busy_ms - busy_before(before_, l), to_ms(span)), device_.now());
  before_ = std::move(loads);
  device_.advance(device_now);
  latest_ = device_.readings(now);
  return latest_;
}

void SimulatedTelemetry::heat(const BackendLoad& load, double busy_ms, TimeNs now) {
  if (busy_ms <= 0) return;
  Work work;
  work.fixed_ms = busy_ms;
  work.extra_w = load.extra_w;
  const BackendProfile* const backend = device_.profile().backend(load.backend);
  work.beside = backend == nullptr;  // the device has no such unit: only the heat that was asked for
  if (backend) work.unit = backend->unit;
  device_.run(work, now);
}

std::vector<SensorState> SimulatedTelemetry::sensors() const {
  std::vector<SensorState> out;
  for (const SensorProfile& sensor : device_.profile().sensors) {
    const std::string role(name_of(sensor.role));
    out.push_back(
        {"simulated " + role, "temperature", role, "degrees C", latest_.temperature(sensor.role), ""});
  }
  return out;
}

}  // namespace sluice
