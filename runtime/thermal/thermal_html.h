// The result of a thermal test as one self-contained HTML page: no script, nothing loaded from elsewhere,
// light and dark, printable.
#pragma once

#include <string>

#include "runtime/thermal/thermal_test.h"

namespace sluice {

std::string thermal_html(const ThermalReport& report);
// Two results on one page; runs of the first are named "A ...", of the second "B ...".
std::string compare_html(const ThermalReport& a, const ThermalReport& b);

}  // namespace sluice
