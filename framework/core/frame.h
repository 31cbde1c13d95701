// What every message knows of the capture it belongs to (contract section 3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "framework/core/clock.h"

namespace sluice {

// Why a frame did not get through. The order is that of the contract; kFiltered is on purpose and no loss.
enum class DropReason : std::uint8_t {
  kNone,
  kOverload,   // no credit
  kQueueFull,  // an edge's capacity
  kPoolEmpty,
  kStale,    // older than a deadline or drop_stale's age
  kTooMany,  // more packets than a node declared
  kFailed,
  kTimeout,
  kCancelled,
  kFiltered,  // turned away on purpose: rate_limit, switch, a rate_hz step
};
constexpr std::size_t kDropReasons = 10;
std::string_view name_of(DropReason reason);  // "overload", ...

// Counts per reason, indexed by DropReason.
using DropCounts = std::array<std::uint64_t, kDropReasons>;

struct FrameInfo {
  std::uint16_t source = 0;  // index of the source within the plan's sources
  std::uint64_t number = 0;  // counts from 0 per source
  TimeNs captured = 0;       // where latency starts (section 5); the run's clock
  TimeNs produced = 0;       // the source had it complete; the run's clock
  TimeNs media_time = 0;     // since the source's first frame, from the stream
};

}  // namespace sluice
