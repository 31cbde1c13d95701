#include "framework/core/status.h"

namespace sluice {

std::string_view name_of(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalid:
      return "invalid";
    case Code::kUnavailable:
      return "unavailable";
    case Code::kFailed:
      return "failed";
    case Code::kTimeout:
      return "timeout";
    case Code::kCancelled:
      return "cancelled";
    case Code::kPoolEmpty:
      return "pool_empty";
    case Code::kEndOfStream:
      return "end of stream";
  }
  return "unknown";
}

Status Status::with_context(std::string_view context) const {
  if (ok()) return *this;
  return {code_, std::string(context) + message_};
}

}  // namespace sluice
