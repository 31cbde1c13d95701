// Both executors drive the same flow core: with modelled costs and a clock that moves only when nothing is
// left to do, every count and every reason must be the same.
#include <gtest/gtest.h>

#include "framework/graph/discrete_executor.h"
#include "framework/graph/tbb_executor.h"
#include "tests/framework/graph/flow_model.h"

namespace sluice::testing {
namespace {

struct RunResult {
  Findings findings;
  FlowCounters counters;
};

// Stops the run at that instant of its clock, after everything else that is due then.
void stop_at(Executor& executor, ManualClock& clock, TimeNs when) {
  if (when != kNever) clock.at(when, TimerKey{INT64_MAX, 0}, [&executor] { executor.stop(); });
}

RunResult run_discrete(const ModelGraph& graph, TimeNs stop) {
  ManualClock clock;
  Model model(graph);
  DiscreteExecutor executor(model.setup(clock), clock);
  model.attach(executor, clock);
  stop_at(executor, clock, stop);
  EXPECT_TRUE(executor.start().ok());
  if (!executor.wait(0)) model.findings().push_back("discrete: stalled");
  model.check(executor, executor);
  return {model.findings(), executor.counters()};
}

RunResult run_tbb(const ModelGraph& graph, TimeNs stop, int workers) {
  ManualClock clock;
  Model model(graph);
  ExecutorSetup setup = model.setup(clock);
  setup.workers = workers;
  TbbExecutor executor(std::move(setup));
  model.attach(executor, clock);
  stop_at(executor, clock, stop);
  EXPECT_TRUE(executor.start().ok());
  executor.wait_idle();
  while (!executor.wait(0)) {
    if (!clock.advance_one()) {
      model.findings().push_back("tbb: stalled");
      break;
    }
    executor.wait_idle();
  }
  executor.shut_down();
  model.check(executor, executor);
  return {model.findings(), executor.counters()};
}

void expect_same(const Histogram& a, const Histogram& b, const std::string& what) {
  EXPECT_EQ(a.count(), b.count()) << what;
  EXPECT_EQ(a.mean_ms(), b.mean_ms()) << what;
  EXPECT_EQ(a.max_ms(), b.max_ms()) << what;
}

void expect_same_times(const FlowCounters& a, const FlowCounters& b) {
  EXPECT_EQ(a.first_delivery, b.first_delivery);
  EXPECT_EQ(a.last_delivery, b.last_delivery);
  expect_same(a.latency, b.latency, "latency");
  expect_same(a.after_source, b.after_source, "after_source");
  for (std::size_t i = 0; i < a.sinks.size(); ++i) {
    expect_same(a.sinks[i].latency, b.sinks[i].latency, "latency of sink " + std::to_string(i));
  }
  for (std::size_t i = 0; i < a.nodes.size(); ++i) {
    expect_same(a.nodes[i].wait, b.nodes[i].wait, "wait of node " + std::to_string(i));
  }
}

void expect_same_counts(const FlowCounters& a, const FlowCounters& b) {
  EXPECT_EQ(a.delivered, b.delivered);
  for (std::size_t i = 0; i < a.sources.size(); ++i) {
    EXPECT_EQ(a.sources[i].produced, b.sources[i].produced) << "source " << i;
    EXPECT_EQ(a.sources[i].delivered, b.sources[i].delivered) << "source " << i;
    EXPECT_EQ(a.sources[i].dropped, b.sources[i].dropped) << "source " << i;
  }
  for (std::size_t i = 0; i < a.sinks.size(); ++i) {
    EXPECT_EQ(a.sinks[i].due, b.sinks[i].due) << "sink " << i;
    EXPECT_EQ(a.sinks[i].delivered, b.sinks[i].delivered) << "sink " << i;
    EXPECT_EQ(a.sinks[i].filtered, b.sinks[i].filtered) << "sink " << i;
    EXPECT_EQ(a.sinks[i].dropped, b.sinks[i].dropped) << "sink " << i;
  }
  for (std::size_t i = 0; i < a.nodes.size(); ++i) {
    EXPECT_EQ(a.nodes[i].in, b.nodes[i].in) << "node " << i;
    EXPECT_EQ(a.nodes[i].processed, b.nodes[i].processed) << "node " << i;
    EXPECT_EQ(a.nodes[i].filtered, b.nodes[i].filtered) << "node " << i;
    EXPECT_EQ(a.nodes[i].dropped, b.nodes[i].dropped) << "node " << i;
    EXPECT_EQ(a.nodes[i].packets_out, b.nodes[i].packets_out) << "node " << i;
    EXPECT_EQ(a.nodes[i].busy.count(), b.nodes[i].busy.count()) << "node " << i;
  }
}

// The drops of all sources.
DropCounts compare(const ModelGraph& graph, TimeNs stop, int workers) {
  const RunResult discrete = run_discrete(graph, stop);
  const RunResult tbb = run_tbb(graph, stop, workers);
  EXPECT_TRUE(discrete.findings.empty()) << discrete.findings.front();
  EXPECT_TRUE(tbb.findings.empty()) << tbb.findings.front();
  // Lossless, a unit that frees a place at the same instant as another may be heard first: which frame a
  // parallel unit takes next, and so the times, may differ; what became of each frame may not (unless a stop
  // came in between).
  const bool same_times = !graph.flow.lossless;
  if (same_times || stop == kNever) expect_same_counts(discrete.counters, tbb.counters);
  if (same_times) expect_same_times(discrete.counters, tbb.counters);
  DropCounts dropped{};
  for (const SourceCounters& s : tbb.counters.sources) {
    for (std::size_t r = 0; r < kDropReasons; ++r) dropped[r] += s.dropped[r];
  }
  return dropped;
}

// Every unit takes some time: what happens at one instant then is one result and what follows from it.
ModelGraph random_graph_with_costs(std::uint64_t seed) {
  ModelGraph graph = random_graph(seed);
  for (UnitModel& unit : graph.units) {
    unit.cost_min += 1000 + static_cast<TimeNs>(seed % 7) * 100;
    unit.cost_max += 5000;
  }
  return graph;
}

TEST(ExecutorsAgree, OnRandomGraphs) {
  DropCounts total{};
  for (std::uint64_t seed = 1; seed <= 250; ++seed) {
    const ModelGraph graph = random_graph_with_costs(seed);
    const TimeNs stop = seed % 5 == 0 ? from_ms(static_cast<double>(seed % 97)) + 77 : kNever;
    const DropCounts dropped = compare(graph, stop, seed % 2 ? 1 : 3);
    for (std::size_t r = 0; r < kDropReasons; ++r) total[r] += dropped[r];
    ASSERT_FALSE(::testing::Test::HasFailure()) << graph.text();
  }
  int reasons = 0;
  for (std::size_t r = 1; r < kDropReasons; ++r) reasons += total[r] >= 50;
  EXPECT_GE(reasons, 3);
}

// A camera at 30 fps whose picture goes to a preview at full rate and through a slow model to a file.
class FacePreview {
 public:
  explicit FacePreview(double infer_ms, int frames) {
    graph_.seed = 7;
    graph_.flow.deadline = from_ms(350);
    const int camera = add(1, 0, 0, true);
    const int pre = add(1, 4);
    const int shaky = add(1, 0.9);  // stands first, so its failures are what a frame lost counts under
    const int infer = add(1, infer_ms, 1);
    const int detect = add(1, 1.5);
    const int json = add(1, 0.2, 1);
    const int draw = add(2, 2.5);
    const int preview = add(1, 0.7, 1);
    const int rate = add(1, 0.05);
    const int slow_sink = add(1, 0.3, 1);
    const int shaky_sink = add(1, 0.4, 1);
    for (auto [from, to] : {std::pair{camera, pre},
                            {pre, infer},
                            {infer, detect},
                            {detect, json},
                            {camera, draw},
                            {draw, preview},
                            {camera, rate},
                            {rate, slow_sink},
                            {pre, shaky},
                            {shaky, shaky_sink}}) {
      graph_.flow.edges.push_back({from, 0, to});
    }
    for (int s : {json, preview, slow_sink, shaky_sink}) {
      unit(s).sink = SinkKind::kCounting;
      unit(s).sink_index = graph_.flow.sinks++;
    }
    graph_.units[static_cast<std::size_t>(rate)].filter = 50;
    graph_.units[static_cast<std::size_t>(shaky)].fail = 20;
    graph_.flow.sources.push_back({camera, 6, 6});
    graph_.sources.push_back({frames, from_s(1) / 30});
    preview_ = unit(preview).sink_index;
    bound_branches_without_sinks(graph_.flow);
  }
  const ModelGraph& graph() const { return graph_; }
  std::size_t preview() const { return static_cast<std::size_t>(preview_); }

 private:
  FlowUnit& unit(int index) { return graph_.flow.units[static_cast<std::size_t>(index)]; }
  int add(int nodes, double cost_ms, int capacity = 0, bool source = false) {
    FlowUnit unit;
    for (int i = 0; i < nodes; ++i) {
      unit.nodes.push_back(static_cast<int>(graph_.flow.node_rank.size()));
      graph_.flow.node_rank.push_back(unit.nodes.back());
      graph_.flow.node_stops.push_back(false);
    }
    unit.is_source = source;
    unit.capacity = capacity;
    unit.when_full = WhenFull::kDropOldest;
    graph_.flow.units.push_back(unit);
    UnitModel model;
    model.cost_min = model.cost_max = from_ms(cost_ms);
    graph_.units.push_back(model);
    return static_cast<int>(graph_.flow.units.size()) - 1;
  }
  ModelGraph graph_;
  int preview_ = 0;
};

TEST(ExecutorsAgree, OnFacePreviewWithASlowModel) {
  constexpr int kFrames = 1800;
  for (double infer_ms : {60.0, 333.0}) {
    const FacePreview face(infer_ms, kFrames);
    const DropCounts dropped = compare(face.graph(), kNever, 2);
    EXPECT_GE(dropped[static_cast<std::size_t>(DropReason::kQueueFull)], 50u);
    EXPECT_GE(dropped[static_cast<std::size_t>(DropReason::kFailed)], 50u);
    if (infer_ms > 100) {
      EXPECT_GE(dropped[static_cast<std::size_t>(DropReason::kStale)], 50u);
    }
    const RunResult run = run_discrete(face.graph(), kNever);
    const SinkCounters& preview = run.counters.sinks[face.preview()];
    EXPECT_EQ(preview.delivered + preview.dropped[static_cast<std::size_t>(DropReason::kOverload)], kFrames);
    EXPECT_GE(preview.delivered, kFrames * 9 / 10) << "the preview is to keep its rate";
  }
}

}  // namespace
}  // namespace sluice::testing
