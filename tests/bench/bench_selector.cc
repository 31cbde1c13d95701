// tools/dev bench selector [--devices N] [--first SEED] [--grid K]: what policy `sustained` delivers on
// random devices against the clairvoyant optimum and against fixed choices; what its limits keep; what a
// decision costs.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/inference/selector/contest.h"
#include "tests/inference/selector/optimum.h"

namespace {

using namespace sluice;           // NOLINT: a benchmark program
using namespace sluice::testing;  // NOLINT

constexpr double kLoses = 0.2;  // NPU-first at full speed loses at least this on a device that counts

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  return values[static_cast<std::size_t>(q * static_cast<double>(values.size() - 1))];
}

void print_row(const char* name, const std::vector<double>& shares) {
  std::printf("  %-34s %6.3f %6.3f %6.3f %6.3f\n", name, quantile(shares, 0.5), quantile(shares, 0.05),
              quantile(shares, 0.25), quantile(shares, 0.95));
}

struct Table {
  std::vector<double> sustained, npu, fastest, steps, grid_error;
};

void add_device(const TrueDevice& device, double grid, Table& table) {
  OptimumRequest request;
  request.grid_c = 2 * grid;
  const double coarse = optimum(device, request).frames;
  request.grid_c = grid;
  const double fine = optimum(device, request).frames;
  const double best = std::max({1.0, coarse, fine});
  table.grid_error.push_back(std::abs(fine - coarse) / best);
  RunRequest run;
  run.policy = device.policy(PolicyKind::kSustained);
  table.sustained.push_back(run_selector(device, run).frames / best);
  table.npu.push_back(run_fixed(device, 0).frames / best);
  table.fastest.push_back(run_fixed(device, fastest_candidate(device)).frames / best);
  table.steps.push_back(run_temperature_steps(device).frames / best);
}

void contest(int wanted, std::uint64_t first, double grid) {
  Table table;
  std::uint64_t seed = first;
  for (int got = 0; got < wanted; ++seed) {
    const TrueDevice device = random_device(seed);
    if (npu_first_share(device) > 1 - kLoses) continue;
    ++got;
    add_device(device, grid, table);
  }
  std::printf(
      "frames as a share of the clairvoyant optimum's, %d devices of seeds %llu to %llu (%.1f %% qualify)\n",
      wanted, static_cast<unsigned long long>(first), static_cast<unsigned long long>(seed - 1),
      100.0 * wanted / static_cast<double>(seed - first));
  std::printf("  %-34s %6s %6s %6s %6s\n", "simulated", "median", "5 %", "25 %", "95 %");
  print_row("sustained", table.sustained);
  print_row("fixed, NPU first", table.npu);
  print_row("fixed, fastest backend first", table.fastest);
  print_row("steps at 65/70/75/80 degrees C", table.steps);
  std::printf(
      "  optimum: grid %.2f against %.2f K differs by %.4f at the median, %.4f at the 95th percentile\n",
      grid, 2 * grid, quantile(table.grid_error, 0.5), quantile(table.grid_error, 0.95));
}

// Devices on which the optimum keeps the limit, and those of them on which `sustained` does.
void limits(int devices, std::uint64_t first) {
  int heat = 0, hot = 0, power = 0, over = 0;
  for (std::uint64_t seed = first; seed < first + static_cast<std::uint64_t>(devices); ++seed) {
    const TrueDevice device = random_device(seed);
    OptimumRequest request;
    request.grid_c = 2;
    RunRequest run;
    run.policy = device.policy(PolicyKind::kSustained);
    run.policy.max_temperature_c = request.max_temperature_c = heat_limit_of(device);
    if (optimum(device, request).feasible) {
      ++heat;
      hot += run_selector(device, run).over_limit_s > 2;
    }
    request.max_temperature_c.reset();
    run.policy.max_temperature_c.reset();
    run.policy.power_budget_w = request.power_budget_w = power_budget_of(device);
    run.power = true;
    run.energies = seed % 2 == 0;
    if (optimum(device, request).feasible) {
      ++power;
      over += run_selector(device, run).highest_10s_w > 1.05 * *run.policy.power_budget_w;
    }
  }
  std::printf(
      "max_temperature_c: the optimum keeps it on %d of %d devices; sustained exceeds it for more than two "
      "periods on %d of those\n",
      heat, devices, hot);
  std::printf(
      "power_budget_w: the optimum keeps it on %d of %d devices; sustained exceeds it by 5 %% over some 10 s "
      "on "
      "%d of those\n",
      power, devices, over);
}

void cost() {
  const TrueDevice device = random_device(2);
  const std::vector<SelectorCandidate> candidates = device.seen_candidates();
  SelectorPolicy policy = device.policy(PolicyKind::kSustained);
  SelectorState last;
  RunRequest run;
  run.policy = policy;
  run.watch = [&](double, const SelectorState& state, const Decision&) { last = state; };
  run_selector(device, run);
  Observation seen;
  seen.dt_s = 1;
  seen.latency_ms = last.candidates[0].base_ms * 1.3;
  seen.fps = 10;
  seen.readings.at = last.observed_at;
  seen.readings.temperature(HeatRole::kNpu).value = 70;
  constexpr int kRounds = 2000;
  std::vector<double> choosing, observing;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    observe(candidates, seen, last);
    const auto middle = std::chrono::steady_clock::now();
    const Decision decision = choose(candidates, last, seen.readings, policy);
    const auto end = std::chrono::steady_clock::now();
    if (decision.count == 0) std::abort();
    observing.push_back(std::chrono::duration<double, std::micro>(middle - start).count());
    choosing.push_back(std::chrono::duration<double, std::micro>(end - middle).count());
  }
  std::printf("a decision of %zu candidates: %.1f us (median of %d), taking in a period: %.1f us\n",
              candidates.size(), quantile(choosing, 0.5), kRounds, quantile(observing, 0.5));
}

}  // namespace

int main(int argc, char** argv) {
  int devices = 100;
  double grid = 0.5;
  std::uint64_t first = 1;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--devices") == 0) devices = std::atoi(argv[i + 1]);
    if (std::strcmp(argv[i], "--first") == 0) first = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--grid") == 0) grid = std::atof(argv[i + 1]);
  }
  if (devices < 1 || grid <= 0) {
    std::fprintf(stderr, "usage: bench_selector [--devices N] [--first SEED] [--grid KELVIN]\n");
    return 2;
  }
  contest(devices, first, grid);
  limits(devices, first);
  cost();
  return 0;
}
