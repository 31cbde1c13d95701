// How long a session's runs take: measured away from the frames, on inputs of zeros.
#pragma once

#include <functional>
#include <vector>

#include "framework/core/clock.h"
#include "inference/session_table.h"

namespace sluice {

struct MeasureRequest {
  int runs = 5;           // timed, at least; one before them is not
  TimeNs at_least = 0;    // goes on for so long, up to 100 runs: others may take the machine for a moment
  TimeNs until = kNever;  // no run is begun after it, but for the first timed one
  TimeNs timeout = 0;     // of one run; 0: as the session's options say
  std::function<bool()> stopped;  // asked between runs; may be empty
};

struct Measured {
  double median_ms = 0;
  double p95_ms = 0;
  double first_ms = 0;  // the run before the timed ones: what waking the session up costs
  double least_ms = 0;
};

// One tensor of zeros per type, each with memory of its own: a run that hangs keeps it.
Result<std::vector<Tensor>> zero_tensors(const std::vector<TensorType>& types);

// kTimeout, kFailed: what a run said; kCancelled: stopped before the first timed run.
Result<Measured> measure(const SessionHandle& session, Clock& clock, const MeasureRequest& request);

}  // namespace sluice
