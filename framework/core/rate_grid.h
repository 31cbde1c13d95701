// The grid that rates act on (contract section 3 rule 10).
#pragma once

#include <algorithm>
#include <cstdint>

#include "framework/core/clock.h"

namespace sluice {

// Which period of a rate a media time lies in. Periods count from the source's first frame, whatever was lost
// since, so that equal rates choose equal frames in every branch. `period` is above 0.
inline std::int64_t period_number(TimeNs media_time, TimeNs period) {
  // Time stamps are rounded to the stream's time base (a millisecond in Matroska).
  const TimeNs at = media_time + std::min(from_ms(1), period / 4);
  return at / period - (at % period < 0 ? 1 : 0);
}

}  // namespace sluice
