// The result of a thermal test as JSON (contract section 5), and back: for --resume and --compare.
#pragma once

#include <string>

#include "runtime/thermal/thermal_test.h"

namespace sluice {

// One document, indented, with a line end. What is not known is null.
std::string thermal_json(const ThermalReport& report);

// kInvalid, naming the file: unreadable, no such document, another version, a list of runs or windows that is
// none. Any other value of a wrong kind counts as unknown.
Result<ThermalReport> read_thermal_json(const std::string& path);

// One line per window, with a header line; unknown values are empty.
std::string thermal_csv(const ThermalReport& report);

}  // namespace sluice
