#include "framework/core/ticks.h"

#include <chrono>

namespace sluice {
namespace {

struct Moment {
  std::uint64_t ticks = 0;
  TimeNs time = 0;
};

// Both clocks at one moment. Whoever is preempted between the two reads would be wrong by a time slice: of
// several pairs of reads the closest counts.
Moment read_both(const std::function<std::uint64_t()>& ticks, const std::function<TimeNs()>& clock) {
  constexpr int kTries = 8;
  Moment best;
  std::uint64_t closest = UINT64_MAX;
  for (int i = 0; i < kTries; ++i) {
    const std::uint64_t before = ticks();
    const TimeNs time = clock();
    const std::uint64_t apart = ticks() - before;
    if (apart >= closest) continue;
    closest = apart;
    best = {before + apart / 2, time};
  }
  return best;
}

TimeNs steady_now() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

double measure_ns_per_tick(const std::function<std::uint64_t()>& ticks,
                           const std::function<TimeNs()>& clock) {
  constexpr TimeNs kLong = 5'000'000;
  const Moment first = read_both(ticks, clock);
  while (clock() - first.time < kLong) {
  }
  const Moment last = read_both(ticks, clock);
  if (last.ticks <= first.ticks) return 1.0;
  return static_cast<double>(last.time - first.time) / static_cast<double>(last.ticks - first.ticks);
}

double ns_per_tick() {
  static const double value = measure_ns_per_tick(read_ticks, steady_now);
  return value;
}

}  // namespace sluice
