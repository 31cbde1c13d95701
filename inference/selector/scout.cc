// Trying units early under max_temperature_c.
#include "inference/selector/chooser.h"

namespace sluice {
namespace {

// A unit that has run for so long is known well enough [assumed: some time constants of its die], in s.
constexpr double kKnown = 10;
// Deviations below the likeliest that are hoped of what is not.
constexpr double kHoped = 1;
// No more changes of the session than this are spent on it.
constexpr int kMostMoves = 6;

}  // namespace

// What heats how much is learned only by running it. Near the limit that is too late: what turns out to be
// too hot then exceeds it. So when nothing that has run keeps max_temperature_c over the horizon, a unit that
// has hardly run is tried for a dwell while there is room for it: its coolest candidate that keeps the limit
// for that long even at worst, and may keep it for good. Returns that, or -1.
int Chooser::scout(const Board& board) const {
  if (!policy_.max_temperature_c || policy_.kind != PolicyKind::kSustained || !state_.heat.sees_any())
    return -1;
  if (!dwelt() || state_.moves >= kMostMoves) return -1;
  const Forecaster future(candidates_, state_, policy_, board.rate);
  const double limit = *policy_.max_temperature_c;
  int found = -1;
  for (std::size_t c = 0; c < candidates_.size(); ++c) {
    const Forecast& forecast = board.forecasts[c];
    if (forecast.exclusion != Exclusion::kNone && forecast.exclusion != Exclusion::kTooHot) continue;
    if (unit_ran_s(candidates_, state_, candidates_[c].unit) >= kKnown) {
      if (future.peak(c, Forecaster::kHorizon, 0) <= limit) return -1;
      continue;
    }
    const bool cooler =
        found < 0 || state_.candidates[c].watts < state_.candidates[static_cast<std::size_t>(found)].watts;
    if (cooler && forecast.peak_c <= limit && future.peak(c, Forecaster::kHorizon, -kHoped) <= limit)
      found = static_cast<int>(c);
  }
  return found;
}

}  // namespace sluice
