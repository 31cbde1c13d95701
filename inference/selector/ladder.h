// The user's degradation ladder: what each step allows, as pure functions.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "inference/selector/candidate.h"

namespace sluice {

// The keys in force after `step` steps (contract section 6: steps add up, a later one wins on the same key).
struct LadderKeys {
  std::optional<std::string_view> performance_mode, variant, backend;
  double rate_hz = 0;  // 0: no limit
};
LadderKeys ladder_keys(std::span<const LadderStep> ladder, int step);

// True when `candidate` may run after `step` steps: it has the keys in force (performance modes bind only
// backends that have them), and neither its variant nor its backend is first named by a later step.
bool allowed_at(std::span<const LadderStep> ladder, int step, const SelectorCandidate& candidate);

// Frames per second to aim for after `step` steps; 0: as many as there are.
double rate_at(std::span<const LadderStep> ladder, int step, double target_fps);

}  // namespace sluice
