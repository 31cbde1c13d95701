// How a test reaches the mock provider library; needs SLUICE_MOCK_PROVIDER.
#pragma once

#include <dlfcn.h>

#include "tests/backends/mock/mock_provider.h"

namespace sluice::testing {

// Loads the library with the first call; it stays.
inline MockControl& mock() {
  static MockControl* const control = [] {
    void* library = ::dlopen(SLUICE_MOCK_PROVIDER, RTLD_NOW | RTLD_LOCAL);
    const auto get = reinterpret_cast<MockControlFunction>(::dlsym(library, "mock_control"));
    return get();
  }();
  return *control;
}

}  // namespace sluice::testing
