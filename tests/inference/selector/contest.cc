#include "tests/inference/selector/contest.h"

#include <algorithm>
#include <deque>

namespace sluice::testing {
namespace {

// Keeps the books of one run.
class Ledger {
 public:
  Ledger(const TrueDevice& device, std::optional<double> limit_c) : device_(device), limit_c_(limit_c) {}

  void add(const DeviceState& state, const Second& second, int candidate) {
    out_.frames += second.frames;
    out_.trail.push_back(candidate);
    const double hottest = device_.hottest_die(state);
    out_.highest_c = std::max(out_.highest_c, hottest);
    over_ = limit_c_ && hottest > *limit_c_ ? over_ + 1 : 0;
    out_.over_limit_s = std::max(out_.over_limit_s, over_);
    watts_.push_back(second.watts);
    sum_ += second.watts;
    if (watts_.size() > 10) {
      sum_ -= watts_.front();
      watts_.pop_front();
    }
    if (watts_.size() == 10) out_.highest_10s_w = std::max(out_.highest_10s_w, sum_ / 10);
  }
  Outcome& out() { return out_; }

 private:
  const TrueDevice& device_;
  const std::optional<double> limit_c_;
  Outcome out_;
  int over_ = 0;
  std::deque<double> watts_;
  double sum_ = 0;
};

void count_change(const TrueDevice& device, const Decision& decision, int from, double since_s,
                  double dwell_s, Outcome& out) {
  ++out.switches;
  const auto& candidates = device.candidates;
  if (candidates[static_cast<std::size_t>(from)].backend !=
      candidates[static_cast<std::size_t>(decision.candidate)].backend)
    ++out.moves;
  if (since_s < dwell_s && decision.cause != Cause::kFailure && decision.cause != Cause::kHeatLimit)
    ++out.quick;
}

}  // namespace

Outcome run_selector(const TrueDevice& device, const RunRequest& request) {
  const std::vector<SelectorCandidate> candidates = device.seen_candidates(request.energies);
  SelectorState state = start_state(candidates);
  Sensors sensors(device, device.seed + 1000);
  DeviceState truth = device.start();
  Ledger ledger(device, request.policy.max_temperature_c);
  Observation seen;
  seen.readings = sensors.read(truth, 0, request.power ? device.idle_w + device.background_w : 0);
  double changed_s = -1e6;
  for (double t = 0; t < device.horizon_s; ++t) {
    if (t > 0 || seen.dt_s == 0) observe(candidates, seen, state);
    const Decision decision = choose(candidates, state, seen.readings, request.policy);
    if (request.watch) request.watch(t, state, decision);
    const int before = state.current;
    commit(candidates, decision, seen.readings.at, state);
    if (before >= 0 && before != state.current) {
      count_change(device, decision, before, t - changed_s, request.policy.dwell_s, ledger.out());
      changed_s = t;
    }
    const Second second = device.advance(truth, state.current, t);
    ledger.add(truth, second, state.current);
    seen = {};
    seen.readings = sensors.read(truth, t + 1, request.power ? second.watts : 0);
    seen.dt_s = 1;
    seen.latency_ms = sensors.latency(second.latency_ms);
    seen.fps = second.fps;
  }
  return ledger.out();
}

Outcome run_fixed(const TrueDevice& device, int index) {
  DeviceState truth = device.start();
  Ledger ledger(device, std::nullopt);
  for (double t = 0; t < device.horizon_s; ++t) {
    const Second second = device.advance(truth, index, t);
    ledger.add(truth, second, index);
  }
  return ledger.out();
}

Outcome run_temperature_steps(const TrueDevice& device) {
  constexpr std::array<double, 4> kSteps = {65, 70, 75, 80};
  constexpr std::array<int, 5> kCandidates = {0, 1, 2, 3, 4};  // NPU burst, balanced, saver, GPU, CPU
  Sensors sensors(device, device.seed + 1000);
  DeviceState truth = device.start();
  Ledger ledger(device, std::nullopt);
  std::size_t step = 0;
  for (double t = 0; t < device.horizon_s; ++t) {
    const double hottest = sensors.read(truth, t, 0).hottest_c().value_or(0);
    while (step < kSteps.size() && hottest >= kSteps[step]) ++step;
    while (step > 0 && hottest < kSteps[step - 1] - 5) --step;
    const Second second = device.advance(truth, kCandidates[step], t);
    ledger.add(truth, second, kCandidates[step]);
  }
  return ledger.out();
}

int fastest_candidate(const TrueDevice& device) {
  int best = 0;
  for (int c = 1; c < static_cast<int>(device.candidates.size()); ++c)
    if (device.candidates[static_cast<std::size_t>(c)].cool_ms <
        device.candidates[static_cast<std::size_t>(best)].cool_ms)
      best = c;
  return best;
}

double heat_limit_of(const TrueDevice& device) {
  return device.ambient_c + device.preheat_c + 15 + static_cast<double>(device.seed * 37 % 40);
}

double power_budget_of(const TrueDevice& device) {
  double least = 1e9;
  for (int c = 0; c < static_cast<int>(device.candidates.size()); ++c)
    least = std::min(least, run_fixed(device, c).highest_10s_w);
  const double most = std::max(run_fixed(device, 0).highest_10s_w, least * 1.1);
  return 1.05 * least + (most - 1.05 * least) * static_cast<double>(device.seed * 29 % 50) / 100;
}

}  // namespace sluice::testing
