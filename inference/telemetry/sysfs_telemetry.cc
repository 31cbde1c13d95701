#include "inference/telemetry/sysfs_telemetry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "inference/telemetry/sysfs_file.h"

namespace sluice {
namespace {

constexpr double kMostWatts = 1000;
constexpr double kMostMhz = 20'000;

Reading reading_of(std::optional<double> value, TimeNs now, Health health) {
  return {health == Health::kGood ? value : std::nullopt, now, health};
}

// A share of two counters that do not change at the same moment.
Reading judged_share(double share, TimeNs now) { return reading_of(share, now, check_range(share, 0, 1)); }

// Kernels give thousandths of a degree. Less than a thousand of them is a degree around the freezing point,
// or a sensor that counts in degrees or tenths, or one that gives 0 because it is off.
bool looks_like_another_unit(double raw, double per_unit) { return per_unit == 1000 && std::abs(raw) < 1000; }

// The numbers after a label, up to the end of its line.
template <std::size_t N>
std::size_t read_numbers(std::string_view text, std::array<double, N>& out) {
  std::size_t count = 0;
  const char* at = text.data();
  const char* const end = text.data() + std::min(text.size(), text.find('\n'));
  while (count < N && at < end) {
    const auto result = std::from_chars(at, end, out[count]);
    if (result.ec == std::errc{}) ++count;
    at = result.ec == std::errc{} ? result.ptr : at + 1;
  }
  return count;
}

std::optional<double> number_after(std::string_view text, std::string_view label) {
  const std::size_t at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  std::array<double, 1> value{};
  return read_numbers(text.substr(at + label.size()), value) == 1 ? std::optional(value[0]) : std::nullopt;
}

void keep_largest(Reading& kept, const Reading& other) {
  if (kept.health == Health::kAbsent || (other.value && (!kept.value || *other.value > *kept.value)))
    kept = other;
}

}  // namespace

std::string describe(Health health, double raw) {
  switch (health) {
    case Health::kAbsent:
    case Health::kGood:
      return {};
    case Health::kVanished:
      return "it cannot be read";
    case Health::kStuck:
      return fmt::format("it stands still at {:.1f} degrees C while others move", raw);
    case Health::kJumped:
      return fmt::format("it jumped to {:.1f} degrees C faster than heat can", raw);
    case Health::kNonsense:
      if (std::abs(raw) < 1) return fmt::format("{:g} degrees C is taken for another unit", raw);
      return fmt::format("{:.1f} degrees C cannot be", raw);
  }
  return {};
}

SysfsTelemetry::SysfsTelemetry(const std::string& root) : layout_(look_at_sysfs(root)), buffer_(8192, '\0') {
  for (const TemperatureFile& file : layout_.temperatures) {
    if (file.role) temperatures_.push_back({file, TemperatureCheck(*file.role), {}, 0});
  }
  energies_.resize(layout_.power.energies.size());
  for (const ClockFiles& clock : layout_.clocks)
    clocks_.push_back({fmt::format("clock '{}' ({})", clock.name, name_of(clock.role)), "MHz"});
  for (const CoolingFiles& device : layout_.cooling)
    cooling_.push_back({fmt::format("cooling device '{}'", device.name), "of its most"});
  power_.who = fmt::format("power '{}'", layout_.power.name);
}

Readings SysfsTelemetry::sample(TimeNs now) {
  Readings out;
  out.at = now;
  sample_temperatures(now, out);
  sample_clocks(now, out);
  sample_utilisation(now, out);
  sample_pressure(now, out);
  if (layout_.power.any()) {
    bool lost = false;
    // Unknown between two samples or while charging is no fault of the sensor.
    const std::optional<double> watts = read_power(now, lost);
    if (watts || lost) out.power_w = judged(power_, watts, now, 0, kMostWatts);
  }
  const auto mhz = [](const std::string& path) {
    const auto khz = read_number(path);
    return khz ? std::optional(*khz / 1000) : khz;
  };
  if (!layout_.ddr.empty()) out.ddr_mhz = judged(ddr_, mhz(layout_.ddr), now, 0, kMostMhz);
  if (!layout_.bus.empty()) out.bus_mhz = judged(bus_, mhz(layout_.bus), now, 0, kMostMhz);
  if (!layout_.memory.empty()) out.memory_used_mb = judged(memory_, read_memory_mb(), now, 0, 1e9);
  last_ = out;
  return out;
}

void SysfsTelemetry::sample_temperatures(TimeNs now, Readings& out) {
  for (std::size_t i = 0; i < temperatures_.size(); ++i) {
    Temperature& sensor = temperatures_[i];
    std::optional<double> celsius = read_number(sensor.file.path);
    const bool other_unit = celsius && looks_like_another_unit(*celsius, sensor.file.per_unit);
    if (celsius) sensor.raw = *celsius /= sensor.file.per_unit;
    const Health before = sensor.now.health;
    const Health health = other_unit ? Health::kNonsense : sensor.check.see(celsius, now, hottest_but(i));
    sensor.now = reading_of(celsius, now, health);
    if (health != before) note_change(sensor, before);
    keep_largest(out.temperature(*sensor.file.role), sensor.now);
  }
}

std::optional<double> SysfsTelemetry::hottest_but(std::size_t index) const {
  std::optional<double> out;
  for (std::size_t i = 0; i < temperatures_.size(); ++i) {
    const std::optional<double>& value = temperatures_[i].now.value;
    if (i != index && value && (!out || *value > *out)) out = value;
  }
  return out;
}

void SysfsTelemetry::note_change(const Temperature& sensor, Health before) {
  const std::string who = fmt::format("sensor '{}' ({})", sensor.file.name, name_of(*sensor.file.role));
  if (sensor.now.health != Health::kGood) {
    notices_.push_back(fmt::format("{}: {}; excluded", who, describe(sensor.now.health, sensor.raw)));
  } else if (before != Health::kAbsent) {
    notices_.push_back(fmt::format("{}: believed again at {:.1f} degrees C", who, sensor.raw));
  }
}

// Of a quantity of which only the range can be checked. What could never be read is no news.
Reading SysfsTelemetry::judged(Watch& watch, std::optional<double> value, TimeNs now, double low,
                               double high) {
  const Health health = check_range(value, low, high);
  const Health before = std::exchange(watch.last, health);
  const bool silent = health == Health::kVanished && before == Health::kAbsent;
  if (health != before && health != Health::kGood && !silent) {
    notices_.push_back(health == Health::kVanished
                           ? fmt::format("{}: it cannot be read; excluded", watch.who)
                           : fmt::format("{}: {:g} {} cannot be; excluded", watch.who, *value, watch.unit));
  } else if (health == Health::kGood && before != Health::kGood && before != Health::kAbsent) {
    notices_.push_back(fmt::format("{}: believed again at {:g} {}", watch.who, *value, watch.unit));
  }
  return reading_of(value, now, health);
}

void SysfsTelemetry::sample_clocks(TimeNs now, Readings& out) {
  const auto in_mhz = [](const std::string& path, double per_unit) {
    const std::optional<double> raw = read_number(path);
    return raw ? std::optional(*raw / per_unit) : raw;
  };
  for (std::size_t i = 0; i < layout_.clocks.size(); ++i) {
    const ClockFiles& files = layout_.clocks[i];
    const auto role = static_cast<std::size_t>(files.role);
    keep_largest(out.clock_mhz[role],
                 judged(clocks_[i], in_mhz(files.now, files.per_unit), now, 0, kMostMhz));
    if (files.most.empty()) continue;
    const std::optional<double> most = in_mhz(files.most, files.per_unit);
    keep_largest(out.max_clock_mhz[role], reading_of(most, now, check_range(most, 0, kMostMhz)));
  }
}

void SysfsTelemetry::sample_utilisation(TimeNs now, Readings& out) {
  if (!layout_.gpu_busy.empty()) {
    const auto percent = read_number(layout_.gpu_busy);
    out.utilisation[static_cast<std::size_t>(UnitRole::kGpu)] =
        judged(gpu_load_, percent ? std::optional(*percent / 100) : percent, now, 0, 1);
  }
  const std::optional<CpuTimes> times = read_cpu_times();
  if (times && cpu_times_ && times->all > cpu_times_->all) {
    const double share = (times->busy - cpu_times_->busy) / (times->all - cpu_times_->all);
    out.utilisation[static_cast<std::size_t>(UnitRole::kCpu)] = judged_share(share, now);
  }
  cpu_times_ = times;
}

// "cpu  user nice system idle iowait irq softirq steal ...": proc(5).
std::optional<SysfsTelemetry::CpuTimes> SysfsTelemetry::read_cpu_times() {
  if (layout_.stat.empty()) return std::nullopt;
  const std::string_view text = read_text(layout_.stat, buffer_);
  std::array<double, 8> jiffies{};
  if (!text.starts_with("cpu ") || read_numbers(text.substr(4), jiffies) < 4) return std::nullopt;
  CpuTimes out;
  for (const double j : jiffies) out.all += j;
  out.busy = out.all - jiffies[3] - jiffies[4];
  return out;
}

void SysfsTelemetry::sample_pressure(TimeNs now, Readings& out) {
  for (std::size_t i = 0; i < layout_.cooling.size(); ++i) {
    const std::optional<double> state = read_number(layout_.cooling[i].state);
    if (state && *state < 0) continue;  // -1: this one does not say
    const auto share = state ? std::optional(*state / layout_.cooling[i].most) : state;
    keep_largest(out.pressure, judged(cooling_[i], share, now, 0, 1));
  }
}

// `lost`: it should be known now and cannot be read.
std::optional<double> SysfsTelemetry::read_power(TimeNs now, bool& lost) {
  const PowerFiles& files = layout_.power;
  if (!files.energies.empty()) return read_energy_rate(now, lost);
  // While it charges, a battery's current is not what the device draws. Its sign differs between vendors.
  if (!files.status.empty()) {
    const std::string_view status = read_text(files.status, buffer_);
    lost = status.empty();
    if (!status.starts_with("Discharging")) return std::nullopt;
  }
  std::optional<double> watts;
  if (!files.power.empty()) {
    const std::optional<double> uw = read_number(files.power);
    if (uw) watts = std::abs(*uw) * 1e-6;
  } else {
    const std::optional<double> ua = read_number(files.current), uv = read_number(files.voltage);
    if (ua && uv) watts = std::abs(*ua) * 1e-6 * (*uv * 1e-6);
  }
  lost = !watts;
  return watts;
}

std::optional<double> SysfsTelemetry::read_energy_rate(TimeNs now, bool& lost) {
  double joules = 0;
  bool all = true;
  for (std::size_t i = 0; i < energies_.size(); ++i) {
    const EnergyFile& file = layout_.power.energies[i];
    const std::optional<double> uj = read_number(file.path);
    all = all && uj.has_value();
    if (!uj) continue;
    double delta = *uj - energies_[i];
    if (delta < 0) delta += file.wraps_at_uj;
    joules += delta * 1e-6;
    energies_[i] = *uj;
  }
  const TimeNs since = std::exchange(energies_at_, all ? now : -1);
  lost = !all;
  if (!all || since < 0 || now <= since) return std::nullopt;
  return joules / to_s(now - since);
}

std::optional<double> SysfsTelemetry::read_memory_mb() {
  const std::string_view text = read_text(layout_.memory, buffer_);
  const auto total = number_after(text, "MemTotal:"), available = number_after(text, "MemAvailable:");
  if (!total || !available) return std::nullopt;
  return (*total - *available) / 1024;
}

std::vector<SensorState> SysfsTelemetry::sensors() const {
  std::vector<SensorState> out;
  for (const Temperature& t : temperatures_) {
    out.push_back({t.file.name, "temperature", std::string(name_of(*t.file.role)), "degrees C", t.now,
                   describe(t.now.health, t.raw)});
  }
  for (const TemperatureFile& file : layout_.temperatures) {
    if (!file.role) out.push_back({file.name, "temperature", "", "degrees C", {}, file.not_used});
  }
  for (const UnitRole role : {UnitRole::kNpu, UnitRole::kGpu, UnitRole::kCpu}) {
    const auto r = static_cast<std::size_t>(role);
    const std::string name(name_of(role));
    if (last_.clock_mhz[r].health != Health::kAbsent)
      out.push_back({name + " clock", "clock", name, "MHz", last_.clock_mhz[r], {}});
    if (last_.utilisation[r].health != Health::kAbsent)
      out.push_back({name + " load", "utilisation", name, "", last_.utilisation[r], {}});
  }
  if (layout_.power.any()) {
    out.push_back({layout_.power.name, "power", layout_.power.covers, "W", last_.power_w,
                   last_.power_w.value                         ? ""
                   : last_.power_w.health == Health::kAbsent   ? "not known now (first sample, or charging)"
                   : last_.power_w.health == Health::kVanished ? "it cannot be read"
                                                               : "its value cannot be"});
  }
  if (!layout_.cooling.empty()) out.push_back({"cooling devices", "pressure", "", "", last_.pressure, {}});
  if (!layout_.ddr.empty()) out.push_back({"DDR clock", "clock", "ddr", "MHz", last_.ddr_mhz, {}});
  if (!layout_.bus.empty()) out.push_back({"bus clock", "clock", "bus", "MHz", last_.bus_mhz, {}});
  if (!layout_.memory.empty()) out.push_back({"memory", "memory", "machine", "MB", last_.memory_used_mb, {}});
  return out;
}

std::vector<std::string> SysfsTelemetry::take_notices() { return std::exchange(notices_, {}); }

}  // namespace sluice
