#include "inference/selector/ladder.h"

#include <algorithm>

namespace sluice {

LadderKeys ladder_keys(std::span<const LadderStep> ladder, int step) {
  LadderKeys keys;
  const std::size_t taken = std::min(static_cast<std::size_t>(std::max(step, 0)), ladder.size());
  for (const LadderStep& s : ladder.first(taken)) {
    if (s.performance_mode) keys.performance_mode = *s.performance_mode;
    if (s.variant) keys.variant = *s.variant;
    if (s.backend) keys.backend = *s.backend;
    if (s.rate_hz) keys.rate_hz = *s.rate_hz;
  }
  return keys;
}

bool allowed_at(std::span<const LadderStep> ladder, int step, const SelectorCandidate& candidate) {
  const LadderKeys keys = ladder_keys(ladder, step);
  if (keys.performance_mode && !candidate.performance_mode.empty() &&
      candidate.performance_mode != *keys.performance_mode)
    return false;
  if (keys.variant && candidate.variant != *keys.variant) return false;
  if (keys.backend && candidate.backend != *keys.backend) return false;
  const std::size_t taken = std::min(static_cast<std::size_t>(std::max(step, 0)), ladder.size());
  for (const LadderStep& later : ladder.subspan(taken)) {
    if (!keys.variant && later.variant && candidate.variant == *later.variant) return false;
    if (!keys.backend && later.backend && candidate.backend == *later.backend) return false;
  }
  return true;
}

double rate_at(std::span<const LadderStep> ladder, int step, double target_fps) {
  const double limit = ladder_keys(ladder, step).rate_hz;
  if (limit <= 0) return target_fps;
  return target_fps > 0 ? std::min(limit, target_fps) : limit;
}

}  // namespace sluice
