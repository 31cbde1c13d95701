#include "inference/telemetry/sysfs_layout.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <span>
#include <utility>

#include "inference/telemetry/sysfs_file.h"

namespace sluice {
namespace {

constexpr std::string_view kOtherHeat = "its heat is of none of npu, gpu, cpu, skin, battery";

bool starts_with_any(std::string_view text, std::span<const std::string_view> prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](auto p) { return text.starts_with(p); });
}

bool is_there(const std::string& path) { return !path.empty() && !read_line(path).empty(); }

void find_zones(const std::string& sys, SysfsLayout& out) {
  for (const std::string& zone : list_folder(sys + "/class/thermal", "thermal_zone")) {
    TemperatureFile file;
    file.name = read_line(zone + "/type");
    file.path = zone + "/temp";
    if (file.name.empty()) file.name = base_name(zone);
    file.role = role_of_zone(file.name, file.not_used);
    out.temperatures.push_back(std::move(file));
  }
}

// Chips that report their own processor's heat.
void find_hwmon(const std::string& sys, SysfsLayout& out) {
  constexpr std::array<std::pair<std::string_view, HeatRole>, 4> kChips = {{{"coretemp", HeatRole::kCpu},
                                                                            {"k10temp", HeatRole::kCpu},
                                                                            {"zenpower", HeatRole::kCpu},
                                                                            {"amdgpu", HeatRole::kGpu}}};
  for (const std::string& chip : list_folder(sys + "/class/hwmon", "hwmon")) {
    const std::string name = read_line(chip + "/name");
    const auto* known = std::find_if(kChips.begin(), kChips.end(), [&](auto& c) { return c.first == name; });
    for (const std::string& path : list_folder(chip)) {
      const std::string file = base_name(path);
      if (!file.ends_with("_input")) continue;
      const std::string stem = file.substr(0, file.size() - 6);
      if (file.starts_with("temp") && known != kChips.end()) {
        const std::string label = read_line(std::string(chip).append("/").append(stem).append("_label"));
        out.temperatures.push_back(
            {name + " " + (label.empty() ? stem : label), path, 1000, known->second, {}});
      }
      if (file.starts_with("power") && !out.power.any()) {
        out.power = {.name = std::string(name).append(" ").append(stem), .covers = "monitor", .power = path};
      }
    }
  }
}

void find_kgsl(const std::string& sys, SysfsLayout& out) {
  const std::string gpu = sys + "/class/kgsl/kgsl-3d0";
  if (is_there(gpu + "/temp"))
    out.temperatures.push_back({"kgsl-3d0", gpu + "/temp", 1000, HeatRole::kGpu, {}});
  if (is_there(gpu + "/gpuclk"))
    out.clocks.push_back({"kgsl-3d0", UnitRole::kGpu, gpu + "/gpuclk", gpu + "/max_gpuclk", 1e6});
  if (is_there(gpu + "/gpu_busy_percentage")) out.gpu_busy = gpu + "/gpu_busy_percentage";
}

void find_clocks(const std::string& sys, SysfsLayout& out) {
  for (const std::string& policy : list_folder(sys + "/devices/system/cpu/cpufreq", "policy")) {
    out.clocks.push_back(
        {base_name(policy), UnitRole::kCpu, policy + "/scaling_cur_freq", policy + "/cpuinfo_max_freq", 1e3});
  }
  for (const std::string& device : list_folder(sys + "/class/devfreq")) {
    const std::string name = base_name(device);
    const bool gpu = name.ends_with(".gpu");
    const bool npu = name.find("npu") != std::string::npos || name.find("cdsp") != std::string::npos;
    if (!gpu && !npu) continue;
    out.clocks.push_back(
        {name, gpu ? UnitRole::kGpu : UnitRole::kNpu, device + "/cur_freq", device + "/max_freq", 1e6});
  }
  for (const std::string& card : list_folder(sys + "/class/drm", "card")) {
    if (is_there(card + "/gt_cur_freq_mhz"))
      out.clocks.push_back(
          {base_name(card), UnitRole::kGpu, card + "/gt_cur_freq_mhz", card + "/gt_max_freq_mhz", 1});
  }
  const std::string dcvs = sys + "/devices/system/cpu/bus_dcvs";
  if (is_there(dcvs + "/DDR/cur_freq")) out.ddr = dcvs + "/DDR/cur_freq";
  if (is_there(dcvs + "/LLCC/cur_freq")) out.bus = dcvs + "/LLCC/cur_freq";
}

// Passive ones throttle; a fan that runs does not.
void find_cooling(const std::string& sys, SysfsLayout& out) {
  for (const std::string& device : list_folder(sys + "/class/thermal", "cooling_device")) {
    const std::string type = read_line(device + "/type");
    if (type == "Fan" || type.find("fan") != std::string::npos) continue;
    const double most = read_number(device + "/max_state").value_or(0);
    if (most > 0) out.cooling.push_back({type, device + "/cur_state", most});
  }
}

void find_batteries(const std::string& sys, SysfsLayout& out) {
  for (const std::string& supply : list_folder(sys + "/class/power_supply")) {
    // Of a mouse or a pen: scope Device.
    if (read_line(supply + "/type") != "Battery" || read_line(supply + "/scope") == "Device") continue;
    const std::string name = "battery " + base_name(supply);
    if (is_there(supply + "/temp"))
      out.temperatures.push_back({name, supply + "/temp", 10, HeatRole::kBattery, {}});
    if (out.power.any()) continue;
    PowerFiles power{.name = name, .covers = "device", .status = supply + "/status"};
    if (is_there(supply + "/power_now")) {
      power.power = supply + "/power_now";
    } else if (is_there(supply + "/current_now") && is_there(supply + "/voltage_now")) {
      power.current = supply + "/current_now";
      power.voltage = supply + "/voltage_now";
    }
    if (power.any()) out.power = std::move(power);
  }
}

void find_rapl(const std::string& sys, SysfsLayout& out) {
  PowerFiles device, packages;
  device.name = "RAPL psys";
  device.covers = "device";
  packages.name = "RAPL packages";
  packages.covers = "package";
  for (const std::string& zone : list_folder(sys + "/class/powercap", "intel-rapl:")) {
    const std::string name = read_line(zone + "/name");
    const EnergyFile energy{zone + "/energy_uj", read_number(zone + "/max_energy_range_uj").value_or(0)};
    if (!is_there(energy.path)) continue;  // often readable by root alone
    if (name == "psys") device.energies.push_back(energy);
    if (name.starts_with("package-")) packages.energies.push_back(energy);
  }
  // Decided once for a run: a battery that does not discharge now says nothing of what the device draws.
  const bool discharging = out.power.status.empty() || read_line(out.power.status) == "Discharging";
  if (out.power.any() && discharging) return;
  if (PowerFiles& rapl = device.any() ? device : packages; rapl.any()) out.power = std::move(rapl);
}

}  // namespace

std::optional<HeatRole> role_of_zone(std::string_view name, std::string& why) {
  std::string type(name);  // "CPU-therm" and "cpu-thermal" are one: kernels do not agree on the case
  std::ranges::transform(type, type.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 5> kNoHeat = {"ibat", "vbat", "-bcl-", "bcl-", "bcl_"};
  const auto inside = [&](std::string_view part) { return type.find(part) != std::string_view::npos; };
  if (type == "soc" || type == "socd" || std::any_of(kNoHeat.begin(), kNoHeat.end(), inside)) {
    why = "no temperature: a current, a voltage or a state of charge";
    return std::nullopt;
  }
  constexpr std::array<std::string_view, 3> kNpu = {"nsp", "cdsp", "npu"};
  constexpr std::array<std::string_view, 1> kGpu = {"gpu"};
  constexpr std::array<std::string_view, 4> kCpu = {"cpu", "apc", "x86_pkg_temp", "tcpu"};
  constexpr std::array<std::string_view, 4> kSkin = {"skin", "sys-therm", "msm-skin", "tskn"};
  if (starts_with_any(type, kNpu)) return HeatRole::kNpu;
  if (starts_with_any(type, kGpu)) return HeatRole::kGpu;
  if (starts_with_any(type, kCpu)) return HeatRole::kCpu;
  if (starts_with_any(type, kSkin)) return HeatRole::kSkin;
  if (type.starts_with("battery")) return HeatRole::kBattery;
  why = kOtherHeat;
  return std::nullopt;
}

SysfsLayout look_at_sysfs(const std::string& root) {
  const std::string sys = root + "/sys";
  SysfsLayout out;
  find_zones(sys, out);
  find_kgsl(sys, out);
  find_batteries(sys, out);
  find_rapl(sys, out);
  find_hwmon(sys, out);
  find_clocks(sys, out);
  find_cooling(sys, out);
  if (is_there(root + "/proc/stat")) out.stat = root + "/proc/stat";
  if (is_there(root + "/proc/meminfo")) out.memory = root + "/proc/meminfo";
  return out;
}

}  // namespace sluice
