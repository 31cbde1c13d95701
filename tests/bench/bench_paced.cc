// Eight nodes at 30 fps: what share of a core the whole process takes, and how much later than by plain calls
// a frame comes out, beyond the two wake-ups that any design with threads pays: a task for an idle arena, and
// a condition variable for the sink's own thread. All three are measured in the same run, interleaved round
// by round.
//   bench_paced [frames] [workers]
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include "framework/graph/tbb_executor.h"
#include "tests/framework/graph/outcomes.h"

namespace sluice::bench {
namespace {

constexpr int kNodes = 8;
constexpr TimeNs kPeriod = from_s(1) / 30;
constexpr int kCorePercent = 1;
constexpr double kAboveUs = 50;

TimeNs steady_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double median_us(std::vector<TimeNs> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return static_cast<double>(values[values.size() / 2]) * 1e-3;
}

// A little arithmetic: some microseconds that no optimiser removes.
void body() {
  static thread_local volatile double x = 1;
  for (int i = 0; i < 2000; ++i) x = x * 1.0000001;
}

class PacedFeed final : public SourceFeed {
 public:
  PacedFeed(Clock& clock, std::uint64_t frames) : clock_(clock), frames_(frames) {}
  TimeNs next_due() override { return kPeriod * static_cast<TimeNs>(number_ + 1); }
  Result<FrameInfo> next() override {
    if (number_ == frames_) return end_of_stream();
    FrameInfo frame;
    frame.number = number_++;
    frame.captured = frame.produced = clock_.now();
    return frame;
  }
  TimeNs enter_due() override { return 0; }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}

 private:
  Clock& clock_;
  std::uint64_t frames_;
  std::uint64_t number_ = 0;
};

class SpinningBodies final : public Bodies, public FlowStorage {
 public:
  explicit SpinningBodies(Clock& clock) : clock_(clock) {}
  Outcome run(std::uint32_t unit, Slot, const FrameInfo& frame) override {
    body();
    if (unit == kNodes) latencies_.push_back(clock_.now() - frame.produced);
    return testing::one_packet();
  }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
  const std::vector<TimeNs>& latencies() const { return latencies_; }

 private:
  Clock& clock_;
  std::vector<TimeNs> latencies_;
};

FlowGraph chain() {
  FlowGraph flow;
  for (int u = 0; u <= kNodes; ++u) {
    FlowUnit unit;
    unit.nodes = {u};
    unit.is_source = u == 0;
    flow.units.push_back(unit);
    if (u > 0) flow.edges.push_back({u - 1, 0, u});
  }
  flow.units.back().sink = SinkKind::kCounting;
  flow.units.back().sink_index = flow.sinks++;
  flow.units.back().capacity = 1;
  flow.units.back().when_full = WhenFull::kDropOldest;
  flow.sources.push_back({0, 3, 3});
  flow.node_rank.resize(kNodes + 1);
  flow.node_stops.resize(kNodes + 1);
  return flow;
}

struct Paced {
  double latency_us = 0;
  double core_percent = 0;
};

Paced run_sluice(int frames, int workers) {
  SteadyClock clock;
  PacedFeed feed(clock, static_cast<std::uint64_t>(frames));
  SpinningBodies bodies(clock);
  ExecutorSetup setup;
  setup.graph = chain();
  setup.threads.assign(setup.graph.units.size(), ThreadKind::kWorker);
  setup.threads.back() = ThreadKind::kOwn;
  setup.feeds = {&feed};
  setup.bodies = &bodies;
  setup.storage = &bodies;
  setup.clock = &clock;
  setup.workers = workers;
  TbbExecutor executor(std::move(setup));
  const double cpu = cpu_seconds();
  const TimeNs start = steady_ns();
  if (!executor.start().ok() || !executor.wait(600)) std::abort();
  const double seconds = to_s(steady_ns() - start);
  return {median_us(bodies.latencies()), (cpu_seconds() - cpu) / seconds * 100};
}

double direct_calls(int frames) {
  std::vector<TimeNs> times;
  for (int f = 0; f < frames; ++f) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPeriod));
    const TimeNs start = steady_ns();
    for (int i = 0; i < kNodes; ++i) body();
    times.push_back(steady_ns() - start);
  }
  return median_us(times);
}

// From a thread outside to a task in an idle arena.
double task_wake_up(int frames, int workers) {
  if (workers <= 0) workers = static_cast<int>(std::thread::hardware_concurrency());
  const tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                                  static_cast<std::size_t>(workers) + 1);
  tbb::task_arena arena(workers, 0);
  arena.initialize();
  std::vector<TimeNs> times;
  for (int f = 0; f < frames; ++f) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPeriod));
    std::atomic<TimeNs> began{0};
    const TimeNs start = steady_ns();
    arena.enqueue([&began] {
      began = steady_ns();
      began.notify_one();
    });
    began.wait(0);
    times.push_back(began - start);
  }
  return median_us(times);
}

// From a thread to one that waits for a condition variable.
double condition_wake_up(int frames) {
  std::mutex mutex;
  std::condition_variable changed;
  TimeNs sent = 0;
  bool done = false;
  std::vector<TimeNs> times;
  std::thread waiter([&] {
    std::unique_lock lock(mutex);
    while (true) {
      changed.wait(lock, [&] { return done || sent != 0; });
      if (done) return;
      times.push_back(steady_ns() - std::exchange(sent, 0));
    }
  });
  for (int f = 0; f <= frames; ++f) {
    std::this_thread::sleep_for(std::chrono::nanoseconds(kPeriod));
    std::lock_guard lock(mutex);
    if (f == frames)
      done = true;
    else
      sent = steady_ns();
    changed.notify_one();
  }
  waiter.join();
  return median_us(times);
}

int run_bench(int frames, int workers) {
  constexpr int kRounds = 3;
  std::vector<double> above, percent;
  for (int round = 0; round < kRounds; ++round) {
    const double direct = direct_calls(frames / kRounds);
    const double task = task_wake_up(frames / kRounds, workers);
    const double condition = condition_wake_up(frames / kRounds);
    const Paced sluice = run_sluice(frames / kRounds, workers);
    std::printf("direct %.1f + task %.1f + condition variable %.1f us; sluice %.1f us, %.2f %% of a core\n",
                direct, task, condition, sluice.latency_us, sluice.core_percent);
    above.push_back(sluice.latency_us - direct - task - condition);
    percent.push_back(sluice.core_percent);
  }
  std::sort(above.begin(), above.end());
  std::sort(percent.begin(), percent.end());
  const double a = above[kRounds / 2], p = percent[kRounds / 2];
  std::printf("median of %d: %.1f us above (at most %.0f), %.2f %% of a core (at most %d)\n", kRounds, a,
              kAboveUs, p, kCorePercent);
  return a <= kAboveUs && p <= kCorePercent ? 0 : 1;
}

}  // namespace
}  // namespace sluice::bench

int main(int argc, char** argv) {
  return sluice::bench::run_bench(argc > 1 ? std::atoi(argv[1]) : 180, argc > 2 ? std::atoi(argv[2]) : 0);
}
