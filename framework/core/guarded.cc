#include "framework/core/guarded.h"

#include <exception>
#include <new>
#include <string>
#include <system_error>

namespace sluice {
namespace {

// Short enough for a std::string to hold without memory of its own: there may be none.
constexpr const char* kNoMemory = "out of memory";

Status describe_exception() {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return failed(kNoMemory);
  } catch (const std::system_error& e) {
    // What std::thread throws where a limit on processes or memory is met.
    if (e.code() == std::errc::resource_unavailable_try_again)
      return failed(std::string("the system gives no further thread: ") + e.code().message());
    return failed(std::string("threw an exception: ") + e.what());
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
