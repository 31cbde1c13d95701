// What passing a frame from one node to the next costs, with statistics on: one worker, one frame in flight,
// cost of a hop = (time through 20 nodes - time through 4) / 16, against the same measured for a raw serial
// tbb::flow::function_node<int, int> chain. The three are interleaved; medians of 5.
//   bench_hop [frames per measurement]
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <vector>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>

#include "framework/core/ticks.h"
#include "framework/graph/tbb_executor.h"

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

class PushedFeed final : public SourceFeed {
 public:
  TimeNs next_due() override { return kNever; }
  Result<FrameInfo> next() override { return end_of_stream(); }
  TimeNs enter_due() override { return 0; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}
  bool external() const override { return true; }
};

// A node that does nothing; not to be seen through by the compiler.
struct PassThrough {
  virtual ~PassThrough() = default;
  virtual int process(int value) { return value; }
};

// Runs the nodes of a unit with their times; the worker that finished a frame pushes the next.
class PassThroughBodies final : public Bodies, public FlowStorage {
 public:
  PassThroughBodies(int nodes_per_unit, std::size_t units, int frames) : frames_(frames) {
    for (int i = 0; i < nodes_per_unit; ++i) nodes_.push_back(std::make_unique<PassThrough>());
    runs_.resize(units * nodes_.size());
    last_unit_ = static_cast<std::uint32_t>(units);
  }
  Outcome run(std::uint32_t unit, Slot, const FrameInfo&) override {
    NodeRun* runs = &runs_[(unit - 1) * nodes_.size()];
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const std::uint64_t begin = read_ticks();
      value_ = nodes_[i]->process(value_);
      runs[i] = {ticks_to_ns(read_ticks() - begin), 1, 0};
    }
    delivered_ = unit == last_unit_;
    Outcome out;
    out.runs = std::span<const NodeRun>(runs, nodes_.size());
    return out;
  }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
  void sweep() override {
    if (std::exchange(delivered_, false)) push();
  }
  void push() {
    if (pushed_ == frames_) return executor_->end_source(0, {});
    FrameInfo frame;
    frame.number = static_cast<std::uint64_t>(pushed_++);
    executor_->push(0, frame);
  }
  void attach(Executor& executor) { executor_ = &executor; }

 private:
  std::vector<std::unique_ptr<PassThrough>> nodes_;
  std::vector<NodeRun> runs_;
  std::uint32_t last_unit_ = 0;
  int value_ = 0;
  bool delivered_ = false;
  int frames_ = 0;
  int pushed_ = 0;
  Executor* executor_ = nullptr;
};

FlowGraph chain_of(int units, int nodes_per_unit) {
  FlowGraph flow;
  int node = 0;
  for (int u = 0; u <= units; ++u) {
    FlowUnit unit;
    unit.is_source = u == 0;
    for (int i = 0; i < (u == 0 ? 1 : nodes_per_unit); ++i) unit.nodes.push_back(node++);
    flow.units.push_back(unit);
    if (u > 0) flow.edges.push_back({u - 1, 0, u});
  }
  flow.units.back().sink = SinkKind::kCounting;
  flow.units.back().sink_index = flow.sinks++;
  flow.sources.push_back({0, 1, 1});
  flow.node_rank.resize(static_cast<std::size_t>(node));
  flow.node_stops.resize(static_cast<std::size_t>(node));
  return flow;
}

double sluice_chain(int units, int nodes_per_unit, int frames) {
  SteadyClock clock;
  PushedFeed feed;
  PassThroughBodies bodies(nodes_per_unit, static_cast<std::size_t>(units), frames);
  ExecutorSetup setup;
  setup.graph = chain_of(units, nodes_per_unit);
  setup.threads.assign(setup.graph.units.size(), ThreadKind::kWorker);
  setup.feeds = {&feed};
  setup.bodies = &bodies;
  setup.storage = &bodies;
  setup.clock = &clock;
  setup.workers = 1;
  TbbExecutor executor(std::move(setup));
  bodies.attach(executor);
  executor.start();
  const auto start = std::chrono::steady_clock::now();
  bodies.push();
  const bool done = executor.wait(600);
  const double seconds = seconds_since(start);
  if (!done || executor.counters().delivered != static_cast<std::uint64_t>(frames)) std::abort();
  return seconds;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
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
    const double u = ns_per_hop([&](int n) { return sluice_chain(n, 1, frames); }, frames);
    const double f = ns_per_hop([&](int n) { return sluice_chain(1, n, frames); }, frames);
    if (round < 0) continue;  // warm-up
    raw.push_back(r);
    unfused.push_back(u);
    fused.push_back(f);
  }
  const double base = median(raw);
  std::printf("ns per hop (1 worker, 1 frame in flight, median of %d, %d frames)\n", kRounds, frames);
  std::printf("  raw tbb function_node      %7.1f\n", base);
  std::printf("  sluice, one task per node  %7.1f  ratio %.2f\n", median(unfused), median(unfused) / base);
  std::printf("  sluice, fused chain        %7.1f  ratio %.2f  (at most 1.50)\n", median(fused),
              median(fused) / base);
  return median(fused) <= 1.5 * base ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) { return sluice::bench::run_bench(argc > 1 ? std::atoi(argv[1]) : 20000); }
