#include "runtime/recorded_telemetry.h"

#include <fmt/format.h>

#include <utility>

namespace sluice {
namespace {

// A recording has a line a second; its last one holds no longer than two.
constexpr TimeNs kHolds = 2'000'000'000;

template <std::size_t N>
void move_times(std::array<Reading, N>& readings, TimeNs by) {
  for (Reading& reading : readings) reading.taken += by;
}

void move_times(Readings& readings, TimeNs by) {
  move_times(readings.temperature_c, by);
  move_times(readings.clock_mhz, by);
  move_times(readings.max_clock_mhz, by);
  move_times(readings.utilisation, by);
  readings.power_w.taken += by;
}

template <std::size_t N, typename Role>
void add_sensors(const std::array<Reading, N>& readings, const char* quantity, const char* unit, Role,
                 std::vector<SensorState>& out) {
  for (std::size_t r = 0; r < N; ++r) {
    if (!readings[r].value) continue;
    const std::string role(name_of(static_cast<Role>(r)));
    out.push_back({"trace " + role, quantity, role, unit, readings[r], ""});
  }
}

}  // namespace

Readings RecordedTelemetry::sample(TimeNs now) {
  const std::vector<Readings>& lines = trace_.samples;
  if (!start_) start_ = now;
  const TimeNs shift = *start_ - lines.front().at;
  while (next_ < lines.size() && lines[next_].at + shift <= now) ++next_;
  over_ = next_ == lines.size() && now - (lines.back().at + shift) >= kHolds;
  latest_ = over_ ? Readings{} : lines[next_ - 1];
  if (!over_) move_times(latest_, shift);
  latest_.at = now;
  return latest_;
}

std::vector<SensorState> RecordedTelemetry::sensors() const {
  std::vector<SensorState> out;
  add_sensors(latest_.temperature_c, "temperature", "degrees C", HeatRole{}, out);
  add_sensors(latest_.clock_mhz, "clock", "MHz", UnitRole{}, out);
  add_sensors(latest_.utilisation, "utilisation", "", UnitRole{}, out);
  if (latest_.power_w.value) out.push_back({"trace power", "power", "device", "W", latest_.power_w, ""});
  return out;
}

std::vector<std::string> RecordedTelemetry::take_notices() {
  if (!over_ || std::exchange(told_, true)) return {};
  return {fmt::format("device: the trace '{}' has ended after {:g} s; from now on nothing is known",
                      trace_.name, to_s(trace_.samples.back().at - trace_.samples.front().at))};
}

}  // namespace sluice
