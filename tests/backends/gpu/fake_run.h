// What the tests of faults run on the fake OpenCL library.
#pragma once

#include <cstdlib>
#include <vector>

#include "backends/gpu/device/api.h"
#include "backends/gpu/plan/recipe.h"

namespace sluice::gpu {

// The fake library, with the cache of programs off.
inline const Api& fake() {
  static const Result<Api> api = [] {
    ::setenv("SLUICE_ARTIFACTS", "off", 1);
    return load_api({SLUICE_FAKE_OPENCL_LIBRARY});
  }();
  return *api;
}

// Input, one kernel with a constant, output; 64 bytes each.
inline Recipe small_recipe() {
  Recipe recipe;
  recipe.slots = {{.bytes = 64, .constant = {}},
                  {.bytes = 64, .constant = std::vector<std::byte>(64)},
                  {.bytes = 64, .constant = {}}};
  recipe.launches = {{"chain", "chain", {Reads{0}, Reads{1}, Writes{2}, 4, 1.5F}, {16, 1, 1}}};
  recipe.inputs = {{.slot = 0, .bytes = 64, .dims = {16}}};
  recipe.outputs = {{.slot = 2, .bytes = 64, .dims = {16}}};
  return recipe;
}

}  // namespace sluice::gpu
