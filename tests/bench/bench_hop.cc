// What passing a frame from one node to the next costs, with real nodes, their contexts and statistics: one
// worker, one frame in flight, cost of a hop = (time through 20 nodes - time through 4) / 16, against the
// same measured for a raw serial tbb::flow::function_node<int, int> chain. The three are interleaved; medians
// of 5.
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

template <typename Run>
double ns_per_hop(const Run& run, int frames) {
  const double t4 = run(4);
  const double t20 = run(20);
  return (t20 - t4) / 16 / frames * 1e9;
}

int run_bench(int frames) {
  std::vector<double> raw, unfused, fused;
  for (int round = -1; round < kRounds; ++round) {
    const double r = ns_per_hop([&](int n) { return raw_chain(n, frames); }, frames);
    const double u =
        ns_per_hop([&](int n) { return NodeChain(Chain::kOneTaskPerNode, n).run(frames); }, frames);
    const double f = ns_per_hop([&](int n) { return NodeChain(Chain::kFused, n).run(frames); }, frames);
    if (round < 0) continue;  // warm-up
    raw.push_back(r);
    unfused.push_back(u);
    fused.push_back(f);
  }
  const double base = median(raw);
  std::printf("ns per hop (1 worker, 1 frame in flight, median of %d, %d frames)\n", kRounds, frames);
  print("raw tbb function_node", raw, base, "");
  print("sluice, one task per node", unfused, base, "");
  print("sluice, fused chain", fused, base, "  (at most 1.50)");
  return median(fused) <= 1.5 * base ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run_bench(argc > 1 ? std::atoi(argv[1]) : 20000); }
