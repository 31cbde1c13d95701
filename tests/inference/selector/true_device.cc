#include "tests/inference/selector/true_device.h"

#include <algorithm>
#include <cmath>

namespace sluice::testing {
namespace {

constexpr int kNpu = 0, kGpu = 1, kCpu = 2;

// mt19937_64 is the same everywhere, the standard distributions are not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  double uniform(double least, double most) {
    return least + (most - least) * static_cast<double>(engine_() >> 11) * 0x1p-53;
  }
  double log_uniform(double least, double most) { return std::exp(uniform(std::log(least), std::log(most))); }
  bool chance(double p) { return uniform(0, 1) < p; }

 private:
  std::mt19937_64 engine_;
};

using Matrix = std::array<std::array<double, kMostNodes>, kMostNodes>;

// Exact-enough step of one second: 64 Euler steps, composed.
void discretise(TrueDevice& device, const Matrix& conductance,
                const std::array<double, kMostNodes>& capacity) {
  constexpr int kParts = 64;
  Matrix step{};
  for (int i = 0; i < device.nodes; ++i)
    for (int j = 0; j < device.nodes; ++j)
      step[i][j] = (i == j ? 1 : 0) - conductance[i][j] / capacity[i] / kParts;
  Matrix power{}, sum{};
  for (int i = 0; i < device.nodes; ++i) power[i][i] = 1;
  for (int part = 0; part < kParts; ++part) {
    Matrix next{};
    for (int i = 0; i < device.nodes; ++i)
      for (int j = 0; j < device.nodes; ++j) {
        sum[i][j] += power[i][j] / kParts;
        for (int k = 0; k < device.nodes; ++k) next[i][j] += power[i][k] * step[k][j];
      }
    power = next;
  }
  device.decay = power;
  for (int i = 0; i < device.nodes; ++i)
    for (int j = 0; j < device.nodes; ++j) device.heating[i][j] = sum[i][j] / capacity[j];
}

void make_thermal(TrueDevice& device, Random& random) {
  device.nodes = random.chance(0.5) ? 3 : 2;
  const int body = device.nodes - 1;
  Matrix g{};
  std::array<double, kMostNodes> capacity{};
  for (int die = 0; die < body; ++die) {
    const double conductance = 1 / random.log_uniform(4, 12);
    capacity[die] = random.log_uniform(0.6, 3);
    g[die][die] += conductance;
    g[body][body] += conductance;
    g[die][body] -= conductance;
    g[body][die] -= conductance;
  }
  if (device.nodes == 3) {
    const double between = random.uniform(0, 0.1);
    g[0][0] += between, g[1][1] += between, g[0][1] -= between, g[1][0] -= between;
  }
  g[body][body] += 1 / random.log_uniform(3.5, 8);
  capacity[body] = random.log_uniform(30, 150);
  const double leakage = random.uniform(0, 0.01);  // W per K, at the NPU's die
  g[0][0] -= leakage;
  device.node_of_unit = {0, device.nodes == 3 ? 1 : 0, device.nodes == 3 ? 1 : 0};
  device.ambient_c = random.uniform(15, 40);
  device.preheat_c = random.chance(0.3) ? random.uniform(0, 10) : 0;
  discretise(device, g, capacity);
}

void make_load(TrueDevice& device, Random& random) {
  device.static_share = random.uniform(0.05, 0.3);
  device.exponent = random.uniform(2, 3);
  device.active_w = {random.log_uniform(2.5, 7), random.log_uniform(2, 7), random.log_uniform(2, 7)};
  const double npu_ms = random.log_uniform(4, 60);
  const double gpu_ms = npu_ms * random.log_uniform(0.87, 5);
  const double cpu_ms = npu_ms * random.log_uniform(1.2, 12);
  const double mid = random.uniform(0.7, 0.88), low = random.uniform(0.45, 0.65),
               one = random.uniform(0.5, 0.65);
  const auto add = [&](const char* backend, const char* mode, UnitRole unit, double ms, double speed) {
    device.candidates.push_back({backend, mode, unit, ms / speed, speed, random.uniform(5, 60)});
  };
  add("htp", "burst", UnitRole::kNpu, npu_ms, 1);
  add("htp", "balanced", UnitRole::kNpu, npu_ms, mid);
  add("htp", "power_saver", UnitRole::kNpu, npu_ms, low);
  add("gpu", "", UnitRole::kGpu, gpu_ms, 1);
  add("cpu", "2 threads", UnitRole::kCpu, cpu_ms, 1);
  add("cpu", "1 thread", UnitRole::kCpu, cpu_ms, one);
  device.target_fps = 1000 / npu_ms * random.uniform(0.5, 1.3);
  device.deadline_ms = std::max(npu_ms, 1000 / device.target_fps) * random.uniform(2.5, 6);
  device.idle_w = random.uniform(0.2, 0.8);
  device.background_w = random.uniform(0, 1);
  if (random.chance(0.3)) {
    device.background_from_s = random.uniform(100, 600);
    device.background_more_w = random.uniform(0.3, 1.2);
  }
}

Governor make_governor(const TrueDevice& device, Random& random, int node) {
  Governor g;
  const double kind = random.uniform(0, 1);
  g.kind = kind < 0.5 ? Governor::Kind::kStep : kind < 0.7 ? Governor::Kind::kHarsh : Governor::Kind::kDroop;
  g.node = node;
  const bool body = node == device.nodes - 1;
  g.trip_c = body ? random.uniform(40, 52) : random.uniform(68, 98);
  g.hysteresis = random.uniform(1, 6);
  g.step = random.uniform(0.05, 0.25);
  g.least = random.uniform(0.25, 0.6);
  g.per_kelvin = random.uniform(0.03, 0.15);
  for (std::size_t u = 0; u < kUnitRoles; ++u) g.units[u] = body || device.node_of_unit[u] == node;
  return g;
}

void make_sensors(TrueDevice& device, Random& random) {
  device.sensed[static_cast<std::size_t>(HeatRole::kNpu)] = true;
  if (random.chance(0.5)) {
    device.sensed[static_cast<std::size_t>(HeatRole::kGpu)] = true;
    device.sensed[static_cast<std::size_t>(HeatRole::kCpu)] = true;
    device.sensed[static_cast<std::size_t>(HeatRole::kSkin)] = random.chance(0.5);
  }
  device.lag_s = random.uniform(0, 3);
  device.noise_c = random.uniform(0.1, 0.5);
  device.rounding_c = random.chance(0.3) ? 1 : 0.1;
  device.latency_noise = random.uniform(0.005, 0.02);
}

// Temperature of `node` that the NPU at clock `speed` (0: off) settles at.
double settled(const TrueDevice& device, double speed, int node) {
  TrueDevice copy = device;
  copy.governors.clear();
  copy.candidates = {device.candidates[0]};
  copy.candidates[0].speed = speed;
  copy.candidates[0].cool_ms /= speed;
  if (speed < 0.01) copy.active_w.fill(0);
  DeviceState state = copy.start();
  for (double t = 0; t < 6000; ++t) copy.advance(state, 0, t + copy.background_from_s);
  return state.temperature[static_cast<std::size_t>(node)];
}

// A governor that can do its work: the device without the load is well below the trip point, and the NPU at
// the governor's lowest clock cools until it lets go.
bool can_hold(const TrueDevice& device, Governor& governor) {
  if (settled(device, 0.001, governor.node) > governor.trip_c - governor.hysteresis - 3) return false;
  const double released = governor.trip_c - governor.hysteresis - 0.5;
  while (governor.least > 0.2 && settled(device, governor.least, governor.node) > released)
    governor.least -= 0.05;
  return governor.least > 0.2;
}

TrueDevice draw_device(Random& random) {
  TrueDevice device;
  make_thermal(device, random);
  make_load(device, random);
  const bool body = random.chance(0.7);
  if (body) device.governors.push_back(make_governor(device, random, device.nodes - 1));
  if (!body || random.chance(0.6)) device.governors.push_back(make_governor(device, random, 0));
  make_sensors(device, random);
  return device;
}

}  // namespace

TrueDevice random_device(std::uint64_t seed) {
  Random random(seed * 0x9e3779b97f4a7c15 + 1);
  for (;;) {
    TrueDevice device = draw_device(random);
    device.seed = seed;
    if (std::all_of(device.governors.begin(), device.governors.end(),
                    [&](Governor& governor) { return can_hold(device, governor); }))
      return device;
  }
}

int TrueDevice::node_of(HeatRole role) const {
  switch (role) {
    case HeatRole::kNpu:
      return node_of_unit[kNpu];
    case HeatRole::kGpu:
      return node_of_unit[kGpu];
    case HeatRole::kCpu:
      return node_of_unit[kCpu];
    default:
      return nodes - 1;
  }
}

DeviceState TrueDevice::start() const {
  DeviceState state;
  state.temperature.fill(ambient_c + preheat_c);
  return state;
}

double TrueDevice::hottest_die(const DeviceState& state) const {
  double hottest = -300;
  for (const HeatRole role : {HeatRole::kNpu, HeatRole::kGpu, HeatRole::kCpu})
    if (sensed[static_cast<std::size_t>(role)])
      hottest = std::max(hottest, state.temperature[static_cast<std::size_t>(node_of(role))]);
  return hottest;
}

namespace {

void govern(const Governor& g, double before, double temperature, double& cap) {
  switch (g.kind) {
    case Governor::Kind::kStep:
      // As Linux's step_wise: down while it is too hot and still warming, up while cool and not warming.
      if (temperature > g.trip_c && temperature > before) cap = std::max(g.least, cap - g.step);
      if (temperature < g.trip_c - g.hysteresis && temperature <= before) cap = std::min(1.0, cap + g.step);
      break;
    case Governor::Kind::kHarsh:
      if (temperature > g.trip_c) cap = g.least;
      if (temperature < g.trip_c - g.hysteresis) cap = 1;
      break;
    case Governor::Kind::kDroop:
      cap = std::clamp(1 - g.per_kelvin * (temperature - g.trip_c), g.least, 1.0);
      break;
  }
}

}  // namespace

Second TrueDevice::advance(DeviceState& state, int index, double t_s) const {
  const TrueCandidate& c = candidates[static_cast<std::size_t>(index)];
  const auto unit = static_cast<std::size_t>(c.unit);
  double speed = c.speed;
  for (std::size_t g = 0; g < governors.size(); ++g)
    if (governors[g].units[unit]) speed = std::min(speed, state.cap[g]);
  Second out;
  out.latency_ms = c.cool_ms * c.speed / speed;
  out.fps = std::min(target_fps, 1000 / out.latency_ms);
  out.frames = out.latency_ms <= deadline_ms ? out.fps : 0;
  if (state.current >= 0 && state.current != index) out.frames *= 1 - c.switch_ms * 1e-3;
  const double duty = std::min(1.0, out.fps * out.latency_ms * 1e-3);
  const double active =
      active_w[unit] * (static_share + (1 - static_share) * std::pow(speed, exponent)) * duty;
  const double background = background_w + (t_s >= background_from_s ? background_more_w : 0);
  out.watts = idle_w + active + background;

  std::array<double, kMostNodes> power{};
  power[static_cast<std::size_t>(node_of_unit[unit])] += active;
  power[static_cast<std::size_t>(nodes - 1)] += idle_w + background;
  std::array<double, kMostNodes> next{};
  for (int i = 0; i < nodes; ++i) {
    for (int j = 0; j < nodes; ++j)
      next[i] += decay[i][j] * (state.temperature[j] - ambient_c) + heating[i][j] * power[j];
    next[i] += ambient_c;
  }
  for (std::size_t g = 0; g < governors.size(); ++g) {
    const auto node = static_cast<std::size_t>(governors[g].node);
    govern(governors[g], state.temperature[node], next[node], state.cap[g]);
  }
  state.temperature = next;
  state.current = index;
  return out;
}

std::vector<SelectorCandidate> TrueDevice::seen_candidates(bool energies) const {
  std::vector<SelectorCandidate> out;
  for (const TrueCandidate& c : candidates) {
    SelectorCandidate seen;
    seen.backend = c.backend;
    seen.performance_mode = c.mode;
    seen.unit = c.unit;
    seen.preference = c.backend == "htp" ? 0 : c.backend == "gpu" ? 1 : 2;
    seen.latency_ms = {c.cool_ms, Basis::kMeasured};
    seen.switch_ms = c.switch_ms;
    const double active = active_w[static_cast<std::size_t>(c.unit)] *
                          (static_share + (1 - static_share) * std::pow(c.speed, exponent));
    if (energies) seen.energy_mj = {active * c.cool_ms, Basis::kMeasured};
    out.push_back(std::move(seen));
  }
  return out;
}

SelectorPolicy TrueDevice::policy(PolicyKind kind) const {
  SelectorPolicy policy;
  policy.kind = kind;
  policy.target_fps = target_fps;
  policy.latency_budget_ms = deadline_ms;
  return policy;
}

double npu_first_share(const TrueDevice& device) {
  DeviceState state = device.start();
  const double full = std::min(device.target_fps, 1000 / device.candidates[0].cool_ms);
  double frames = 0;
  for (double t = 0; t < device.horizon_s; ++t) frames += device.advance(state, 0, t).frames;
  return frames / (full * device.horizon_s);
}

double Sensors::normal() {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += static_cast<double>(random_() >> 11) * 0x1p-53;
  return sum;
}

double Sensors::latency(double true_ms) { return true_ms * (1 + device_.latency_noise * normal()); }

Readings Sensors::read(const DeviceState& state, double t_s, double watts) {
  Readings out;
  out.at = from_s(t_s);
  out.simulated = true;
  for (std::size_t r = 0; r < kHeatRoles; ++r) {
    if (!device_.sensed[r]) continue;
    auto& past = history_[r];
    past.push_back(state.temperature[static_cast<std::size_t>(device_.node_of(static_cast<HeatRole>(r)))]);
    const double back = std::min(device_.lag_s, static_cast<double>(past.size() - 1));
    const auto whole = static_cast<std::size_t>(back);
    const double part = back - static_cast<double>(whole);
    const std::size_t at = past.size() - 1 - whole;
    const double value =
        past[at] * (1 - part) + past[at > 0 ? at - 1 : 0] * part + device_.noise_c * normal();
    out.temperature_c[r].value = std::round(value / device_.rounding_c) * device_.rounding_c;
    out.temperature_c[r].taken = out.at;
    out.temperature_c[r].health = Health::kGood;
  }
  if (watts > 0) {
    out.power_w.value = watts * (1 + 0.02 * normal());
    out.power_w.health = Health::kGood;
  }
  return out;
}

}  // namespace sluice::testing
