// Readings of a run as lines of JSON, and back: what `sluice run --record` keeps and `sluice fit` reads.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "framework/core/status.h"
#include "simulation/fit.h"

namespace sluice {

// What a reading can be; beyond it the unit is wrong.
constexpr double kLeastCelsius = -50, kMostCelsius = 200, kMostMhz = 20'000, kMostWatts = 1000;

// One line without its end. What is unknown is left out.
std::string reading_line(const Readings& readings);

// A trace file: one line per sample, times rising; lines of another kind (selection_record.h) are passed
// over. kInvalid with FILE:LINE for what is none: text that is no
// JSON, a time that does not rise, a temperature, power or load that cannot be (42000 degrees C), a last line
// that was cut.
// `samples_needed` false: a recording with lines of the other kind may have none, where nothing was read.
Result<RecordedRun> read_trace(const std::string& path, bool samples_needed = true);

}  // namespace sluice
