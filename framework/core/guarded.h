// Where code that may throw is called: an exception becomes a Status (no exception crosses a node's or a
// module's boundary).
#pragma once

#include <utility>

#include "framework/core/status.h"

namespace sluice {

// Of the exception that is being handled; kFailed, "out of memory" for std::bad_alloc. Only inside a catch.
Status status_of_exception() noexcept;

// f() returns a Status or a Result.
template <typename F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return std::forward<F>(f)();
  } catch (...) {
    return status_of_exception();
  }
}

}  // namespace sluice
