#include "inference/selection/run_meter.h"

namespace sluice {

RunMeter::Period RunMeter::take(int candidate) noexcept {
  Period out;
  if (failed_.exchange(false, std::memory_order_acquire)) {
    for (std::size_t c = 0; c < failures_.size(); ++c)
      out.failures[c] = failures_[c].exchange(0, std::memory_order_relaxed);
  }
  const std::uint64_t runs = runs_.load(std::memory_order_relaxed);
  out.runs = runs - taken_;
  const std::uint64_t newest = std::min<std::uint64_t>(out.runs, kSamples);
  std::array<TimeNs, kSamples> latencies;
  std::size_t count = 0;
  for (std::uint64_t at = runs - newest; at < runs; ++at) {
    // A writer that has its place and has not written yet leaves a 0 here: that run is not in the median.
    const std::uint64_t sample = samples_[at % kSamples].exchange(0, std::memory_order_relaxed);
    if (sample == 0 || static_cast<int>(sample & 0xff) != candidate) continue;
    latencies[count++] = static_cast<TimeNs>(sample >> 8);
  }
  taken_ = runs;
  if (count == 0) return out;
  const auto middle = latencies.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(latencies.begin(), middle, latencies.begin() + static_cast<std::ptrdiff_t>(count));
  out.latency_ms = to_ms(*middle);
  return out;
}

}  // namespace sluice
