// Readings: what is known of the device's heat, clocks and power at one moment. Plain data, copied freely;
// made by a Telemetry, read by the selector, the report and the thermal test. Unknown is a value: a quantity
// that no sensor gives, or whose sensors are all excluded, has none; it is never 0.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "framework/core/clock.h"

namespace sluice {

// What a temperature belongs to. Several sensors of one role count as their hottest.
enum class HeatRole : std::uint8_t { kNpu, kGpu, kCpu, kSkin, kBattery };
constexpr std::size_t kHeatRoles = 5;
// What a clock or a utilisation belongs to.
enum class UnitRole : std::uint8_t { kNpu, kGpu, kCpu };
constexpr std::size_t kUnitRoles = 3;

// Why a sensor is believed or excluded.
enum class Health : std::uint8_t {
  kAbsent,    // there is no such sensor
  kGood,      // its value is used
  kVanished,  // it was there and cannot be read any more
  kStuck,     // it stands still while the device warms or cools
  kJumped,    // it moved faster than heat can; believed again once it has been steady
  kNonsense,  // a value that this quantity cannot have (42000 degrees C)
};

// One quantity. `value` is set exactly when `health` is kGood.
struct Reading {
  std::optional<double> value;
  TimeNs taken = 0;  // on the run's clock; before Readings::at when the source is slow
  Health health = Health::kAbsent;
};

struct Readings {
  TimeNs at = 0;                                  // when they were asked for, on the run's clock
  bool simulated = false;                         // made by a model of a device
  std::array<Reading, kHeatRoles> temperature_c;  // by HeatRole
  std::array<Reading, kUnitRoles> clock_mhz;      // by UnitRole; of several policies the fastest
  std::array<Reading, kUnitRoles> max_clock_mhz;  // what the hardware allows
  std::array<Reading, kUnitRoles> utilisation;    // 0..1 since the sample before
  Reading power_w;                                // drawn now; see SensorState for which part of the device
  Reading pressure;                               // 0..1: the strongest passive cooling device, state / most
  Reading headroom;                               // Android: 1.0 = severe throttling is near
  Reading ddr_mhz, bus_mhz;
  Reading memory_used_mb;  // of the whole machine

  const Reading& temperature(HeatRole role) const { return temperature_c[static_cast<std::size_t>(role)]; }
  Reading& temperature(HeatRole role) { return temperature_c[static_cast<std::size_t>(role)]; }
  // The hottest of npu, gpu and cpu: what `max_temperature_c` limits (contract section 6).
  std::optional<double> hottest_c() const {
    std::optional<double> out;
    for (const HeatRole role : {HeatRole::kNpu, HeatRole::kGpu, HeatRole::kCpu}) {
      const std::optional<double>& value = temperature(role).value;
      if (value && (!out || *value > *out)) out = value;
    }
    return out;
  }
};

// How old a reading was when it was asked for.
inline TimeNs age_of(const Readings& readings, const Reading& reading) { return readings.at - reading.taken; }

std::string_view name_of(HeatRole role);  // "npu", "gpu", "cpu", "skin", "battery"
std::string_view name_of(UnitRole role);
std::string_view name_of(Health health);  // "absent", "good", "vanished", "stuck", "jumped", "nonsense"

}  // namespace sluice
