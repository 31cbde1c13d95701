// What a flow core and its executor tell an observer, event by event: told where the counters of the report
// are raised, from the same numbers, so that a trace and a report cannot disagree.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

#include "framework/core/frame.h"

namespace sluice {

constexpr std::uint64_t kNoFrameNumber = UINT64_MAX;

struct FlowEvent {
  enum class Kind : std::uint8_t {
    kCapture,  // the source made the capture in `thread` during [begin, end]
    kWait,     // the frame waited for `node` during [begin, end], then started there
    kRun,      // `node` ran in `thread` during [begin, end]; reason kNone: processed
    kDrop,     // `node` lost the frame without having run, at `end`
    kFrame,    // the frame is done at `end`; captured at `begin`; reason kNone: delivered
    kCredits,  // from `end` on `number` credits of the source are taken
  };
  Kind kind = Kind::kRun;
  DropReason reason = DropReason::kNone;
  std::uint16_t source = 0;
  std::uint32_t thread = 0;  // of the operating system
  std::int32_t node = -1;    // plan index
  std::uint64_t number = kNoFrameNumber;
  TimeNs begin = 0;
  TimeNs end = kNever;  // kNever: now, by the observer's own clock
};

// Called with the core's lock held, by one thread at a time: returns at once, allocates nothing.
class FlowObserver {
 public:
  virtual ~FlowObserver() = default;
  virtual void on_event(const FlowEvent& event) = 0;
};

// The operating system's number of the calling thread.
inline std::uint32_t this_thread() {
  static thread_local const auto id = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  return id;
}

}  // namespace sluice
