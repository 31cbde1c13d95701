// Readings of a run as lines of JSON, and back: what `sluice run --record` keeps and `sluice fit` reads.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "framework/core/status.h"
#include "simulation/fit.h"

namespace sluice {

// One line without its end. What is unknown is left out.
std::string reading_line(const Readings& readings);

// A trace file: one line per sample, times rising. kInvalid with FILE:LINE for what is none: text that is no
// JSON, a time that does not rise, a temperature, power or load that cannot be (42000 degrees C), a last line
// that was cut.
Result<RecordedRun> read_trace(const std::string& path);

}  // namespace sluice
