// The result of a thermal test in words and tables, for the terminal and the page.
#pragma once

#include <string>
#include <vector>

#include "runtime/thermal/thermal_test.h"

namespace sluice {

// "simulated qcs6490 at 35 degrees C, load 30 min"; "this machine, readings simulated (profile generic),
// ...".
std::string device_words(const ThermalReport& report);
// "htp w8a16 balanced, step 1".
std::string infer_words(const ThermalWindow::Infer& infer);

std::vector<std::string> summary_head();
std::vector<std::string> summary_row(const ThermalRun& run);

// The summary as a table of aligned columns, with a line end.
std::string thermal_text(const ThermalReport& report);
// Two reports against each other, run by run of the same policy.
std::string compare_text(const ThermalReport& a, const ThermalReport& b);

}  // namespace sluice
