#include "inference/telemetry/readings.h"

namespace sluice {

std::string_view name_of(HeatRole role) {
  constexpr std::array<std::string_view, kHeatRoles> kNames = {"npu", "gpu", "cpu", "skin", "battery"};
  return kNames[static_cast<std::size_t>(role)];
}

std::string_view name_of(UnitRole role) {
  constexpr std::array<std::string_view, kUnitRoles> kNames = {"npu", "gpu", "cpu"};
  return kNames[static_cast<std::size_t>(role)];
}

std::string_view name_of(Health health) {
  constexpr std::array<std::string_view, 6> kNames = {"absent", "good",   "vanished",
                                                      "stuck",  "jumped", "nonsense"};
  return kNames[static_cast<std::size_t>(health)];
}

}  // namespace sluice
