// What was measured to be fastest for one recipe on one device (sluice compile --tune), as the artefact cache
// keeps it.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backends/gpu/plan/recipe.h"

namespace sluice::gpu {

struct Tuning {
  int lanes = 4;                                   // the kernel set: 4 or 16
  std::vector<std::array<std::size_t, 2>> groups;  // by launch: work items per group along two axes
  bool operator==(const Tuning&) const = default;
};

std::string text_of(const Tuning& tuning);
// Nothing when the text is none of text_of's.
std::optional<Tuning> read_tuning(std::string_view text);

// Equal for recipes whose launches cost the same: kernels, numbers and work items.
std::string signature_of(const Recipe& recipe);

// False, and nothing is changed: it was made for another recipe.
bool apply(const Tuning& tuning, Recipe& recipe);

}  // namespace sluice::gpu
