#include "simulation/profile.h"

#include <algorithm>

namespace sluice {

std::string_view name_of(Label label) {
  switch (label) {
    case Label::kPublished:
      return "P";
    case Label::kAssumed:
      return "A";
    case Label::kFitted:
      return "F";
  }
  return "A";
}

const BackendProfile* DeviceProfile::backend(std::string_view wanted) const {
  const auto found =
      std::find_if(backends.begin(), backends.end(), [&](const auto& b) { return b.name == wanted; });
  return found == backends.end() ? nullptr : &*found;
}

const UnitProfile* DeviceProfile::unit(UnitRole role) const {
  const auto found = std::find_if(units.begin(), units.end(), [&](const auto& u) { return u.role == role; });
  return found == units.end() ? nullptr : &*found;
}

}  // namespace sluice
