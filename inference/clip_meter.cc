#include "inference/clip_meter.h"

#include <fmt/format.h>

#include "framework/core/log.h"

namespace sluice {

void ClipMeter::add(std::uint64_t clipped, std::uint64_t values) {
  clipped_.fetch_add(clipped, std::memory_order_relaxed);
  values_.fetch_add(values, std::memory_order_relaxed);
  if (frames_.fetch_add(1, std::memory_order_relaxed) + 1 >= kFewFrames) judge();
}

void ClipMeter::judge() {
  const auto clipped = static_cast<double>(this->clipped());
  const auto values = static_cast<double>(this->values());
  if (clipped <= kMost * values || warned_.exchange(true, std::memory_order_relaxed)) return;
  const std::string text = fmt::format(
      "node '{}': {:.1f} % of the values for {} lie outside what its quantisation holds and were cut off "
      "(allowed: {:.0f} %), so the model sees another picture; check mean, std and color against those of "
      "the "
      "calibration, or quantise the model again with such pictures (sluice quantize --data, or --ranges with "
      "those of sluice run --collect-ranges)",
      node_, 100 * clipped / values, input_.empty() ? "the tensor" : "input '" + input_ + "'", 100 * kMost);
  {
    const std::lock_guard lock(mutex_);
    warning_ = text;
  }
  log_message(LogLevel::kWarning, text);
}

std::string ClipMeter::warning() const {
  const std::lock_guard lock(mutex_);
  return warning_;
}

}  // namespace sluice
