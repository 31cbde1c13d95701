#include "framework/core/guarded.h"

#include <exception>
#include <new>

namespace sluice {
namespace {

// Short enough for a std::string to hold without memory of its own: there may be none.
constexpr const char* kNoMemory = "out of memory";

Status describe_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return failed(kNoMemory);
  } catch (const std::exception& e) {
    return failed(std::string("threw an exception: ") + e.what());
  } catch (...) {
    return failed("threw something that is no std::exception");
  }
}

}  // namespace

Status status_of_exception() noexcept {
  try {
    return describe_exception();
  } catch (...) {
    return failed(kNoMemory);
  }
}

}  // namespace sluice
