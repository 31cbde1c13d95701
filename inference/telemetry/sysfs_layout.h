// Which files of /sys and /proc say what: looks once, names paths. Roles by the names that kernels give
// (Qualcomm's, mainline's and x86's).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inference/telemetry/readings.h"

namespace sluice {

struct TemperatureFile {
  std::string name;
  std::string path;
  double per_unit = 1000;        // file -> degrees C
  std::optional<HeatRole> role;  // none: listed, not used
  std::string not_used;          // why, when there is no role
};

struct ClockFiles {
  std::string name;
  UnitRole role = UnitRole::kCpu;
  std::string now, most;  // paths; `most` may be empty
  double per_unit = 1e6;  // file -> MHz
};

struct CoolingFiles {
  std::string name;
  std::string state;
  double most = 1;
};

struct EnergyFile {
  std::string path;
  double wraps_at_uj = 0;
};

// Where the power comes from, the first that is there: a battery that discharges (whole device), RAPL's psys
// (whole device), RAPL's packages (processors alone), a battery that is charged now, a hwmon power monitor.
struct PowerFiles {
  std::string name;                  // "battery BAT0"
  std::string covers;                // "device", "package", "monitor"
  std::string status, power;         // battery; `power` also hwmon (uW)
  std::string current, voltage;      // battery (uA, uV) without `power`
  std::vector<EnergyFile> energies;  // RAPL
  bool any() const { return !power.empty() || !current.empty() || !energies.empty(); }
};

struct SysfsLayout {
  std::vector<TemperatureFile> temperatures;
  std::vector<ClockFiles> clocks;
  std::vector<CoolingFiles> cooling;
  PowerFiles power;
  std::string gpu_busy;      // percent; empty: none
  std::string ddr, bus;      // current frequency in kHz; empty: none
  std::string stat, memory;  // /proc/stat, /proc/meminfo
};

// `root` stands for "/". Never fails: what is not there is not in it.
SysfsLayout look_at_sysfs(const std::string& root);

// The role of a thermal zone by its type, in any case of letters. None: its heat is of none of the roles;
// `why` says so, or that it is no temperature at all.
std::optional<HeatRole> role_of_zone(std::string_view name, std::string& why);

}  // namespace sluice
