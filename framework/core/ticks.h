// Calibrated CPU ticks for statistics: about half the cost of steady_clock. Never used for decisions.
#pragma once

#include <cstdint>
#include <functional>

#include "framework/core/clock.h"

namespace sluice {

// The CPU's constant-rate counter (TSC on x86-64, CNTVCT on aarch64), or nanoseconds elsewhere.
inline std::uint64_t read_ticks() {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t t;
  asm volatile("mrs %0, cntvct_el0" : "=r"(t));
  return t;
#else
  return static_cast<std::uint64_t>(__builtin_readcyclecounter());
#endif
}

// Nanoseconds by `clock` per tick of `ticks`, over at least 5 ms; preemption between two reads does not
// falsify it. 1 when the ticks stand still.
double measure_ns_per_tick(const std::function<std::uint64_t()>& ticks, const std::function<TimeNs()>& clock);

// Nanoseconds per tick, measured once per process against steady_clock (the first call takes about 5 ms).
double ns_per_tick();

inline TimeNs ticks_to_ns(std::uint64_t ticks) {
  return static_cast<TimeNs>(static_cast<double>(ticks) * ns_per_tick());
}

}  // namespace sluice
