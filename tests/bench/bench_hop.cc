// What passing a frame from one node to the next costs, with real nodes, their contexts and statistics: one
// worker, one frame in flight, cost of a hop = (time through 20 nodes - time through 4) / 16, against the
// same measured for a raw serial tbb::flow::function_node<int, int> chain. The three are interleaved in small
// blocks; medians of 5.
//   bench_hop [frames per measurement]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <vector>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>

#include "tests/bench/node_chain.h"

namespace sluice::bench {
namespace {

constexpr int kRounds = 5;
constexpr int kBlocks = 20;  // of a round

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double raw_chain(int nodes, int frames) {
  using Node = tbb::flow::function_node<int, int>;
  const tbb::global_control one(tbb::global_control::max_allowed_parallelism, 1);
  tbb::flow::graph graph;
  std::deque<Node> chain;
  for (int i = 0; i < nodes; ++i) {
    const bool last = i + 1 == nodes;
    chain.emplace_back(graph, tbb::flow::serial, [&chain, last, frames](int n) {
      if (last && n + 1 < frames) chain.front().try_put(n + 1);
      return n;
    });
    if (i > 0) tbb::flow::make_edge(chain[static_cast<std::size_t>(i) - 1], chain.back());
  }
  const auto start = std::chrono::steady_clock::now();
  chain.front().try_put(0);
  graph.wait_for_all();
  return seconds_since(start);
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void print(const char* name, const std::vector<double>& values, double base, const char* note) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  std::printf("  %-26s %7.1f  (%.1f to %.1f)  ratio %.2f%s\n", name, median(values), *least, *most,
              median(values) / base, note);
}

// One of the three things that are compared: seconds through 4 and through 20 nodes, of all blocks of a
// round.
struct Rival {
  const char* name;
  double (*run)(int nodes, int frames);
  double t4 = 0, t20 = 0;
  std::vector<double> ns_per_hop;

  void measure(int frames) {
    t4 += run(4, frames);
    t20 += run(20, frames);
  }
  void end_round(int frames) {
    ns_per_hop.push_back((t20 - t4) / 16 / frames * 1e9);
    t4 = t20 = 0;
  }
};

// What a core does per nanosecond changes within milliseconds on a shared machine: all take turns in blocks.
void measure_round(std::vector<Rival>& rivals, int frames) {
  for (int block = 0; block < kBlocks; ++block) {
    for (Rival& rival : rivals) rival.measure(frames / kBlocks);
  }
  for (Rival& rival : rivals) rival.end_round(frames / kBlocks * kBlocks);
}

int run_bench(int frames) {
  if (frames < kBlocks) {
    std::fprintf(stderr, "bench_hop: frames per measurement must be at least %d\n", kBlocks);
    return 2;
  }
  std::vector<Rival> rivals{
      {"raw tbb function_node", raw_chain},
      {"sluice, one task per node", [](int n, int f) { return NodeChain(Chain::kOneTaskPerNode, n).run(f); }},
      {"sluice, fused chain", [](int n, int f) { return NodeChain(Chain::kFused, n).run(f); }}};
  measure_round(rivals, frames);  // warm-up
  for (Rival& rival : rivals) rival.ns_per_hop.clear();
  for (int round = 0; round < kRounds; ++round) measure_round(rivals, frames);
  const double base = median(rivals.front().ns_per_hop);
  std::printf("ns per hop (1 worker, 1 frame in flight, median of %d, %d frames)\n", kRounds, frames);
  for (const Rival& rival : rivals)
    print(rival.name, rival.ns_per_hop, base, &rival == &rivals.back() ? "  (at most 1.50)" : "");
  return median(rivals.back().ns_per_hop) <= 1.5 * base ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run_bench(argc > 1 ? std::atoi(argv[1]) : 40000); }
