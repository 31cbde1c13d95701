#include "runtime/thermal/windows.h"

#include <algorithm>
#include <utility>

namespace sluice {
namespace {

std::map<std::string, std::uint64_t> drops_between(const FlowCounters& a, const FlowCounters& b) {
  std::map<std::string, std::uint64_t> out;
  for (std::size_t s = 0; s < b.sources.size(); ++s) {
    for (std::size_t r = 1; r < kDropReasons; ++r) {
      const std::uint64_t count = b.sources[s].dropped[r] - a.sources[s].dropped[r];
      if (count > 0) out[std::string(name_of(static_cast<DropReason>(r)))] += count;
    }
  }
  return out;
}

// All decisions so far, those that the report leaves out too.
std::size_t made(const InferNow& node) { return node.decisions_left_out + node.decisions.size(); }

}  // namespace

bool WindowEnds::look(double t_s) {
  if (t_s + kSame < next_ || until_ - t_s + kSame < length_ / 2) return false;
  while (next_ - t_s + kSame < length_ / 2) next_ += length_;
  last_ = t_s;
  return true;
}

void WindowRecorder::sample(const Readings& readings) {
  if (!readings.power_w.value) return;
  power_sum_ += *readings.power_w.value;
  ++power_samples_;
}

ThermalWindow WindowRecorder::next(RunSnapshot now, bool load) {
  ThermalWindow out;
  out.t_s = to_s(now.at);
  out.seconds = to_s(now.at - last_.at);
  out.load = load;
  out.delivered = now.counters.delivered - last_.counters.delivered;
  if (load && out.seconds > 0) out.fps = static_cast<double>(out.delivered) / out.seconds;
  const Histogram latency = now.counters.latency.since(last_.counters.latency);
  const LatencyFigures figures = figures_of(latency);
  out.p50_ms = figures.p50;
  out.p95_ms = figures.p95;
  out.p99_ms = figures.p99;
  out.dropped = drops_between(last_.counters, now.counters);
  if (now.readings) {
    for (std::size_t r = 0; r < kHeatRoles; ++r) out.temperature_c[r] = now.readings->temperature_c[r].value;
    for (std::size_t r = 0; r < kUnitRoles; ++r) out.clock_mhz[r] = now.readings->clock_mhz[r].value;
  }
  if (now.energy_j && last_.energy_j && out.seconds > 0) {
    out.power_w = (*now.energy_j - *last_.energy_j) / out.seconds;
  } else if (power_samples_ > 0) {
    out.power_w = power_sum_ / power_samples_;
  }
  out.rss_mb = now.rss_mb;
  for (std::size_t i = 0; i < now.infer.size(); ++i) {
    const InferNow& n = now.infer[i];
    const std::size_t fresh =
        i < last_.infer.size() ? std::min(n.decisions.size(), made(n) - made(last_.infer[i])) : 0;
    const std::size_t before = n.decisions.size() - fresh;
    out.infer.push_back({n.node,
                         n.backend,
                         n.variant,
                         n.performance_mode,
                         n.step,
                         n.reason,
                         {n.decisions.begin() + static_cast<std::ptrdiff_t>(before), n.decisions.end()}});
    if (!begun_ && before > 0) out.infer.back().first = n.decisions[before - 1];
  }
  begun_ = true;
  power_sum_ = 0;
  power_samples_ = 0;
  last_ = std::move(now);
  return out;
}

}  // namespace sluice
