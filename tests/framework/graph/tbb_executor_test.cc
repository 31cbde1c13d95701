// The TBB executor on the real clock: the equations of contract section 3, a clean end at any moment, sources
// that are pushed to.
#include "framework/graph/tbb_executor.h"

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "tests/framework/graph/flow_model.h"
#include "tests/framework/graph/outcomes.h"

namespace sluice::testing {
namespace {

int threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

// Runs the graph with bodies that spin for some microseconds; `stop_after` microseconds if not negative.
Findings run_real(const ModelGraph& graph, int workers, int stop_after) {
  auto clock = std::make_unique<SteadyClock>();
  Model model(graph);
  ExecutorSetup setup = model.setup_spinning(*clock);
  setup.workers = workers;
  TbbExecutor executor(std::move(setup));
  model.attach(executor, *clock);
  EXPECT_TRUE(executor.start().ok());
  if (stop_after >= 0) {
    std::this_thread::sleep_for(
        std::chrono::microseconds(stop_after));  // a random moment, not synchronisation
    executor.stop();
  }
  if (!executor.wait(60)) model.findings().push_back("stalled");
  executor.shut_down();
  clock.reset();  // timers of pools that speak up late
  model.check(executor, executor);
  return model.findings();
}

TEST(TbbExecutor, EquationsHoldOnTheRealClock) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const ModelGraph graph = random_graph(seed);
    const Findings findings = run_real(graph, seed % 2 ? 2 : 4, -1);
    ASSERT_TRUE(findings.empty()) << findings.front() << "\n" << graph.text();
  }
}

TEST(TbbExecutor, StopsCleanlyAtAnyMoment) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const ModelGraph graph = random_graph(1000 + seed);
    const Findings findings = run_real(graph, seed % 2 ? 2 : 4, static_cast<int>(seed * 7919 % 3000));
    ASSERT_TRUE(findings.empty()) << findings.front() << "\n" << graph.text();
  }
}

TEST(TbbExecutor, StopsBeforeAndRightAfterTheStart) {
  const ModelGraph graph = random_graph(3);
  for (int i = 0; i < 20; ++i) {
    const Findings findings = run_real(graph, 2, 0);
    ASSERT_TRUE(findings.empty()) << findings.front();
  }
  SteadyClock clock;
  Model model(graph);
  TbbExecutor executor(model.setup_spinning(clock));
  executor.stop();
  EXPECT_TRUE(executor.start().ok());
  EXPECT_TRUE(executor.wait(60));
}

TEST(TbbExecutor, ModelledCostsOnTheRealClockEndCleanly) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    ModelGraph graph = random_graph(seed);
    for (UnitModel& unit : graph.units) {
      unit.retry = 0;
      unit.cost_min /= 1000;
      unit.cost_max /= 1000;
    }
    for (SourceModel& source : graph.sources) source.period /= 1000;
    SteadyClock clock;
    Model model(graph);
    TbbExecutor executor(model.setup(clock));
    EXPECT_TRUE(executor.start().ok());
    ASSERT_TRUE(executor.wait(60)) << graph.text();
    executor.shut_down();
    model.check(executor, executor);
    ASSERT_TRUE(model.findings().empty()) << model.findings().front();
  }
}

// With the thread that ThreadSanitizer adds when the first one starts.
const int threads_at_start = [] {
  std::thread([] {}).join();
  return threads_of_this_process();
}();

TEST(TbbExecutor, LeavesNoThreadBehind) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) ASSERT_TRUE(run_real(random_graph(seed), 4, -1).empty());
  // The kernel may show a thread for a moment after it was joined.
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (threads_of_this_process() > threads_at_start && std::chrono::steady_clock::now() < limit) {
    std::this_thread::yield();
  }
  EXPECT_LE(threads_of_this_process(), threads_at_start);
}

// --- sources that are pushed to ----------------------------------------------------------------------------

class PushedFeed final : public SourceFeed {
 public:
  TimeNs next_due() override { return kNever; }
  Result<FrameInfo> next() override { return failed("nobody steps an external source"); }
  TimeNs enter_due() override { return 0; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}
  bool external() const override { return true; }
};

// Holds each frame until it is let go.
class GatedBodies final : public Bodies, public FlowStorage {
 public:
  Outcome run(std::uint32_t, Slot, const FrameInfo&) override {
    running_ = true;
    running_.notify_all();
    gate_.wait(0);
    return one_packet();
  }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
  void open() {
    gate_ = 1;
    gate_.notify_all();
  }
  void wait_until_one_runs() { running_.wait(false); }

 private:
  std::atomic<bool> running_{false};
  std::atomic<int> gate_{0};
};

class Pushed : public ::testing::TestWithParam<bool> {
 public:
  ~Pushed() override {
    bodies_.open();
    executor_.reset();
  }

 protected:
  // source -> sink on its own thread; two credits.
  Pushed() {
    ExecutorSetup setup;
    setup.graph.lossless = GetParam();
    FlowUnit source, sink;
    source.is_source = true;
    source.nodes = {0};
    sink.nodes = {1};
    sink.sink = SinkKind::kCounting;
    sink.sink_index = setup.graph.sinks++;
    setup.graph.units = {source, sink};
    setup.graph.edges = {{0, 0, 1}};
    setup.graph.sources = {{0, 2, 2}};
    setup.graph.node_rank = {0, 1};
    setup.graph.node_stops = {false, false};
    setup.threads = {ThreadKind::kOwn, ThreadKind::kOwn};
    setup.feeds = {&feed_};
    setup.bodies = &bodies_;
    setup.storage = &bodies_;
    setup.clock = &clock_;
    executor_.emplace(std::move(setup));
    EXPECT_TRUE(executor_->start().ok());
  }
  Executor::Offered push() {
    FrameInfo frame;
    frame.number = number_++;
    frame.captured = frame.produced = clock_.now();
    return executor_->push(0, frame);
  }
  std::uint64_t dropped(DropReason reason) {
    return executor_->counters().sources[0].dropped[static_cast<std::size_t>(reason)];
  }
  // Until the third push has asked for a credit and was refused: then it is counted as produced.
  void wait_until_third_is_produced() {
    while (executor_->counters().sources[0].produced < 3) std::this_thread::yield();
  }

  SteadyClock clock_;
  PushedFeed feed_;
  GatedBodies bodies_;
  std::optional<TbbExecutor> executor_;
  std::uint64_t number_ = 0;
};

TEST_P(Pushed, WithoutACreditRealtimeAnswersAndLosslessWaits) {
  ASSERT_EQ(push(), Executor::Offered::kAdmitted);
  ASSERT_EQ(push(), Executor::Offered::kAdmitted);
  if (!GetParam()) {
    EXPECT_EQ(push(), Executor::Offered::kOverload);
    EXPECT_EQ(dropped(DropReason::kOverload), 1u);
    bodies_.open();
  } else {
    auto third = std::async(std::launch::async, [this] { return push(); });
    wait_until_third_is_produced();
    EXPECT_EQ(executor_->alive(), 2);
    bodies_.open();
    EXPECT_EQ(third.get(), Executor::Offered::kAdmitted);
  }
  EXPECT_TRUE(executor_->wait_source_drained(0));
  EXPECT_EQ(executor_->alive(), 0);
  for (int i = 0; i < 1000 && GetParam(); ++i) ASSERT_EQ(push(), Executor::Offered::kAdmitted);
  executor_->end_source(0, {});
  EXPECT_EQ(push(), Executor::Offered::kStopped);
  ASSERT_TRUE(executor_->wait(60));
  const SourceCounters counters = executor_->counters().sources[0];
  EXPECT_EQ(counters.produced, GetParam() ? 1003u : 3u);
  EXPECT_EQ(counters.in_flight(), 0u);
}

TEST_P(Pushed, AStopEndsAPushThatWaits) {
  ASSERT_EQ(push(), Executor::Offered::kAdmitted);
  ASSERT_EQ(push(), Executor::Offered::kAdmitted);
  std::future<Executor::Offered> third;
  if (GetParam()) {
    third = std::async(std::launch::async, [this] { return push(); });
    wait_until_third_is_produced();
  }
  executor_->stop();
  EXPECT_FALSE(executor_->wait_source_drained(0));
  EXPECT_EQ(push(), Executor::Offered::kStopped);
  bodies_.open();
  ASSERT_TRUE(executor_->wait(60));
  const SourceCounters counters = executor_->counters().sources[0];
  EXPECT_EQ(counters.delivered, 2u);
  EXPECT_EQ(counters.produced, GetParam() ? 3u : 2u);
  EXPECT_EQ(dropped(DropReason::kCancelled), GetParam() ? 1u : 0u);
  if (GetParam()) {
    EXPECT_EQ(third.get(), Executor::Offered::kStopped);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, Pushed, ::testing::Bool(),
                         [](const auto& mode) { return mode.param ? "Lossless" : "Realtime"; });

// --- workers -----------------------------------------------------------------------------------------------

// source -> worker unit -> ... -> worker unit that is a sink; one frame at a time.
ExecutorSetup line_of_workers(int units, Bodies& bodies, FlowStorage& storage, SourceFeed& feed,
                              Clock& clock) {
  ExecutorSetup setup;
  setup.graph.lossless = true;
  for (int u = 0; u <= units; ++u) {
    FlowUnit unit;
    unit.is_source = u == 0;
    unit.nodes = {u};
    setup.graph.units.push_back(unit);
    if (u > 0) setup.graph.edges.push_back({u - 1, 0, u});
  }
  setup.graph.units.back().sink = SinkKind::kCounting;
  setup.graph.units.back().sink_index = setup.graph.sinks++;
  setup.graph.sources = {{0, 1, 1}};
  setup.graph.node_rank.resize(static_cast<std::size_t>(units) + 1);
  setup.graph.node_stops.resize(static_cast<std::size_t>(units) + 1);
  setup.threads.assign(setup.graph.units.size(), ThreadKind::kWorker);
  setup.feeds = {&feed};
  setup.bodies = &bodies;
  setup.storage = &storage;
  setup.clock = &clock;
  setup.workers = 4;
  return setup;
}

class WorkerBodies final : public Bodies, public FlowStorage {
 public:
  explicit WorkerBodies(Outcome::Kind first) : first_(first) {}
  Outcome run(std::uint32_t unit, Slot, const FrameInfo&) override {
    if (unit == 1) worker_ = std::this_thread::get_id();
    if (std::this_thread::get_id() != worker_) ++changes_;
    Outcome out = one_packet();
    if (unit == 1) out.kind = first_;
    if (out.kind == Outcome::Kind::kDropped) out.reason = DropReason::kFailed;
    return out;
  }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
  int changes() const { return changes_; }

 private:
  Outcome::Kind first_;
  std::thread::id worker_;  // of the present frame: there is one at a time
  int changes_ = 0;
};

FlowCounters push_one_by_one(TbbExecutor& executor, int frames) {
  EXPECT_TRUE(executor.start().ok());
  for (int i = 0; i < frames; ++i) {
    FrameInfo frame;
    frame.number = static_cast<std::uint64_t>(i);
    EXPECT_EQ(executor.push(0, frame), Executor::Offered::kAdmitted);
    EXPECT_TRUE(executor.wait_source_drained(0));
  }
  executor.end_source(0, {});
  EXPECT_TRUE(executor.wait(60));
  return executor.counters();
}

TEST(TbbExecutor, AWorkerGoesOnWithItsFrame) {
  SteadyClock clock;
  PushedFeed feed;
  WorkerBodies bodies(Outcome::Kind::kData);
  TbbExecutor executor(line_of_workers(8, bodies, bodies, feed, clock));
  EXPECT_EQ(push_one_by_one(executor, 200).delivered, 200u);
  EXPECT_EQ(bodies.changes(), 0) << "a frame changed its worker although nothing else was to do";
}

// A body of one pipeline that never ends takes no thread from another one.
TEST(TbbExecutor, EachExecutorHasItsOwnThreads) {
  SteadyClock clock;
  PushedFeed feed;
  GatedBodies held;
  WorkerBodies free(Outcome::Kind::kData);
  ExecutorSetup one = line_of_workers(1, held, held, feed, clock);
  ExecutorSetup other = line_of_workers(1, free, free, feed, clock);
  one.workers = other.workers = 1;
  TbbExecutor first(std::move(one));
  ASSERT_TRUE(first.start().ok());
  ASSERT_EQ(first.push(0, FrameInfo{}), Executor::Offered::kAdmitted);
  held.wait_until_one_runs();
  {
    TbbExecutor second(std::move(other));
    EXPECT_EQ(push_one_by_one(second, 10).sources[0].delivered, 10u);
  }
  held.open();
  first.end_source(0, {});
  EXPECT_TRUE(first.wait(60));
}

TEST(TbbExecutor, AbsencesTravelFarWithoutADeepStack) {
  SteadyClock clock;
  PushedFeed feed;
  WorkerBodies bodies(Outcome::Kind::kDropped);
  constexpr int kUnits = 50'000;
  TbbExecutor executor(line_of_workers(kUnits, bodies, bodies, feed, clock));
  const FlowCounters counters = push_one_by_one(executor, 2);
  EXPECT_EQ(counters.sources[0].dropped[static_cast<std::size_t>(DropReason::kFailed)], 2u);
  EXPECT_EQ(counters.delivered, 0u);
}

// Decodes its second frame until it is let go.
class BusyFeed final : public SourceFeed {
 public:
  TimeNs next_due() override { return 0; }
  Result<FrameInfo> next() override {
    if (number_ == kFrames) return end_of_stream();
    FrameInfo frame;
    frame.number = number_++;
    if (frame.number == 1) {
      decoding_ = 1;
      decoding_.notify_all();
      gate_.wait(0);
    }
    return frame;
  }
  TimeNs enter_due() override { return 0; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}
  bool only_computes() const override { return true; }
  void wait_until_decoding() { decoding_.wait(0); }
  void let_go() {
    gate_ = 1;
    gate_.notify_all();
  }
  static constexpr std::uint64_t kFrames = 10;

 private:
  std::uint64_t number_ = 0;
  std::atomic<int> decoding_{0};
  std::atomic<int> gate_{0};
};

class CountedBodies final : public Bodies, public FlowStorage {
 public:
  Outcome run(std::uint32_t, Slot, const FrameInfo&) override {
    ++inside_;
    inside_.notify_all();
    gate_.wait(0);
    return one_packet();
  }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
  void wait_until_inside(int count) {
    for (int now = inside_; now < count; now = inside_) inside_.wait(now);
  }
  int inside() const { return inside_; }
  void open() {
    gate_ = 1;
    gate_.notify_all();
  }

 private:
  std::atomic<int> inside_{0};
  std::atomic<int> gate_{0};
};

TEST(TbbExecutor, AWorkerDecodesUntilTheSourceWaits) {
  SteadyClock clock;
  BusyFeed feed;
  CountedBodies bodies;
  ExecutorSetup setup = line_of_workers(1, bodies, bodies, feed, clock);
  setup.graph.units[1].concurrency = 2;
  setup.graph.sources = {{0, 3, 3}};
  setup.workers = 2;
  TbbExecutor executor(std::move(setup));
  EXPECT_TRUE(executor.start().ok());
  feed.wait_until_decoding();
  bodies.wait_until_inside(1);
  EXPECT_EQ(bodies.inside(), 1) << "two workers and a decoder on two cores";
  feed.let_go();
  bodies.wait_until_inside(2);  // without a credit the worker goes on with a frame
  bodies.open();
  ASSERT_TRUE(executor.wait(60));
  EXPECT_EQ(executor.counters().delivered, BusyFeed::kFrames);
}

}  // namespace
}  // namespace sluice::testing
