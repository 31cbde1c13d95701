#include "tests/inference/selector/optimum.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>

namespace sluice::testing {
namespace {

struct Node {
  DeviceState state;
  double frames = 0;
};

std::uint64_t cell_of(const TrueDevice& device, const DeviceState& state, double grid) {
  std::uint64_t key = static_cast<std::uint64_t>(state.current);
  for (int i = 0; i < device.nodes; ++i) {
    const double width = i == device.nodes - 1 ? grid / 2 : grid;
    const auto cell = static_cast<std::int64_t>(std::floor((state.temperature[i] + 50) / width));
    key = key * 4096 + static_cast<std::uint64_t>(cell);
  }
  for (std::size_t g = 0; g < device.governors.size(); ++g) {
    const bool stateless = device.governors[g].kind == Governor::Kind::kDroop;
    key = key * 64 + (stateless ? 0 : static_cast<std::uint64_t>(std::lround(state.cap[g] * 50)));
  }
  return key;
}

// One dwell of `candidate`; false when a limit is broken.
bool dwell(const TrueDevice& device, const OptimumRequest& request, int candidate, double from_s,
           Node& node) {
  for (double t = from_s; t < std::min(from_s + request.dwell_s, device.horizon_s); ++t) {
    const Second second = device.advance(node.state, candidate, t);
    node.frames += second.frames;
    if (request.max_temperature_c && device.hottest_die(node.state) > *request.max_temperature_c)
      return false;
    if (request.power_budget_w && second.watts > *request.power_budget_w) return false;
  }
  return true;
}

// Merging may cost a branch this much of what it could still reach.
constexpr double kSlack = 0.98;

// Frames of the best plan that never changes: what a branch must be able to beat.
double best_constant(const TrueDevice& device, const OptimumRequest& request) {
  double best = -1;
  for (int c = 0; c < static_cast<int>(device.candidates.size()); ++c) {
    Node node{device.start(), 0};
    bool kept = true;
    for (double t = 0; t < device.horizon_s && kept; t += request.dwell_s)
      kept = dwell(device, request, c, t, node);
    if (kept) best = std::max(best, node.frames);
  }
  return best;
}

double highest_rate(const TrueDevice& device) {
  double best = 0;
  for (const TrueCandidate& c : device.candidates)
    if (c.cool_ms <= device.deadline_ms) best = std::max(best, std::min(device.target_fps, 1000 / c.cool_ms));
  return best;
}

}  // namespace

Optimum optimum(const TrueDevice& device, const OptimumRequest& request) {
  Optimum out;
  const double bar = best_constant(device, request), rate = highest_rate(device);
  std::vector<Node> stage{{device.start(), 0}};
  std::unordered_map<std::uint64_t, std::size_t> cells;
  for (double t = 0; t < device.horizon_s; t += request.dwell_s) {
    std::vector<Node> next;
    cells.clear();
    const double left = std::max(0.0, device.horizon_s - t - request.dwell_s) * rate;
    for (const Node& node : stage) {
      for (int c = 0; c < static_cast<int>(device.candidates.size()); ++c) {
        Node reached = node;
        if (!dwell(device, request, c, t, reached)) continue;
        if (reached.frames + left < kSlack * bar) continue;
        const auto [it, fresh] =
            cells.try_emplace(cell_of(device, reached.state, request.grid_c), next.size());
        if (fresh)
          next.push_back(reached);
        else if (reached.frames > next[it->second].frames)
          next[it->second] = reached;
      }
    }
    out.states = std::max(out.states, next.size());
    stage = std::move(next);
  }
  out.feasible = bar >= 0 || !stage.empty();
  out.frames = std::max(0.0, bar);
  for (const Node& node : stage) out.frames = std::max(out.frames, node.frames);
  return out;
}

}  // namespace sluice::testing
