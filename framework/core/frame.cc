#include "framework/core/frame.h"

namespace sluice {

std::string_view name_of(DropReason reason) {
  switch (reason) {
    case DropReason::kNone:
      return "none";
    case DropReason::kOverload:
      return "overload";
    case DropReason::kQueueFull:
      return "queue_full";
    case DropReason::kPoolEmpty:
      return "pool_empty";
    case DropReason::kStale:
      return "stale";
    case DropReason::kTooMany:
      return "too_many";
    case DropReason::kFailed:
      return "failed";
    case DropReason::kTimeout:
      return "timeout";
    case DropReason::kCancelled:
      return "cancelled";
    case DropReason::kFiltered:
      return "filtered";
  }
  return "none";
}

}  // namespace sluice
