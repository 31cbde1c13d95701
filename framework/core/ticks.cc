#include "framework/core/ticks.h"

#include <chrono>

namespace sluice {
namespace {

double measure_ns_per_tick() {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const std::uint64_t first = read_ticks();
  auto end = start;
  while (end - start < std::chrono::milliseconds(5)) end = Clock::now();
  const std::uint64_t last = read_ticks();
  const double ns = std::chrono::duration<double, std::nano>(end - start).count();
  return last > first ? ns / static_cast<double>(last - first) : 1.0;
}

}  // namespace

double ns_per_tick() {
  static const double value = measure_ns_per_tick();
  return value;
}

}  // namespace sluice
