// Many sources on the TBB executor: which of them may work at once.
#include <atomic>
#include <deque>
#include <thread>

#include <gtest/gtest.h>

#include "framework/graph/tbb_executor.h"
#include "tests/framework/graph/outcomes.h"

namespace sluice {
namespace {

// How many captures are being made, and the most there were.
struct AtOnce {
  std::atomic<int> now{0}, most{0};
  void begin() {
    const int mine = ++now;
    for (int seen = most; seen < mine && !most.compare_exchange_weak(seen, mine);) {
    }
  }
};

class Feed : public SourceFeed {
 public:
  Feed(int source, AtOnce& at_once) : source_(source), at_once_(at_once) {}
  TimeNs next_due() override { return 0; }
  TimeNs enter_due() override { return 0; }
  Result<FrameInfo> next() override {
    if (number_ == 50) return end_of_stream();
    at_once_.begin();
    capture();
    --at_once_.now;
    FrameInfo frame;
    frame.source = static_cast<std::uint16_t>(source_);
    frame.number = number_++;
    return frame;
  }
  void store(Slot) override {}
  void discard() override {}
  void interrupt() override {}

 protected:
  virtual void capture() = 0;
  const int source_;
  AtOnce& at_once_;
  std::uint64_t number_ = 0;
};

class Computes final : public Feed {
 public:
  using Feed::Feed;
  bool only_computes() const override { return true; }

 protected:
  void capture() override { std::this_thread::yield(); }
};

// Each capture waits until every source makes one.
class WaitsForAll final : public Feed {
 public:
  WaitsForAll(int source, AtOnce& at_once, std::atomic<int>& arrived, int all)
      : Feed(source, at_once), arrived_(arrived), all_(all) {}

 protected:
  void capture() override {
    const int round = static_cast<int>(number_) + 1;
    ++arrived_;
    arrived_.notify_all();
    for (int seen = arrived_; seen < round * all_; seen = arrived_) arrived_.wait(seen);
  }

 private:
  std::atomic<int>& arrived_;
  const int all_;
};

class NothingToDo final : public Bodies, public FlowStorage {
 public:
  Outcome run(std::uint32_t, Slot, const FrameInfo&) override { return testing::one_packet(); }
  void publish(std::uint32_t, Slot) override {}
  void release(std::uint32_t, Slot) override {}
};

// Each source with a sink of its own, lossless; true: every frame of every source was delivered.
bool run_to_the_end(const std::vector<SourceFeed*>& feeds) {
  SteadyClock clock;
  NothingToDo bodies;
  ExecutorSetup setup;
  setup.graph.lossless = true;
  for (int s = 0; s < static_cast<int>(feeds.size()); ++s) {
    FlowUnit source, sink;
    source.is_source = true;
    source.source = sink.source = s;
    source.nodes = {2 * s};
    sink.nodes = {2 * s + 1};
    sink.sink = SinkKind::kCounting;
    sink.sink_index = setup.graph.sinks++;
    setup.graph.units.insert(setup.graph.units.end(), {source, sink});
    setup.graph.edges.push_back({2 * s, 0, 2 * s + 1});
    setup.graph.sources.push_back({2 * s, 3, 3});
    setup.graph.node_rank.insert(setup.graph.node_rank.end(), {2 * s, 2 * s + 1});
    setup.graph.node_stops.insert(setup.graph.node_stops.end(), {false, false});
    setup.threads.insert(setup.threads.end(), {ThreadKind::kOwn, ThreadKind::kWorker});
  }
  setup.feeds = feeds;
  setup.bodies = &bodies;
  setup.storage = &bodies;
  setup.clock = &clock;
  TbbExecutor executor(std::move(setup));
  EXPECT_TRUE(executor.start().ok());
  if (!executor.wait(60)) return false;
  executor.shut_down();
  const FlowCounters counters = executor.counters();
  for (const SourceCounters& source : counters.sources) {
    if (source.produced != 50 || source.delivered != 50) return false;
  }
  return true;
}

int cores() { return static_cast<int>(std::max(1u, std::thread::hardware_concurrency())); }

TEST(ManySources, ThoseThatOnlyComputeWorkOnNoMoreThanTheCores) {
  AtOnce at_once;
  std::deque<Computes> sources;
  std::vector<SourceFeed*> feeds;
  feeds.reserve(static_cast<std::size_t>(cores()) * 4);
  for (int s = 0; s < 4 * cores(); ++s) feeds.push_back(&sources.emplace_back(s, at_once));
  EXPECT_TRUE(run_to_the_end(feeds));
  EXPECT_LE(at_once.most, cores());
  EXPECT_GE(at_once.most, 1);
}

TEST(ManySources, ThoseThatMayWaitForSomethingElseAllWorkAtOnce) {
  AtOnce at_once;
  std::atomic<int> arrived{0};
  std::deque<WaitsForAll> sources;
  std::vector<SourceFeed*> feeds;
  const int all = 4 * cores();
  feeds.reserve(static_cast<std::size_t>(all));
  for (int s = 0; s < all; ++s) feeds.push_back(&sources.emplace_back(s, at_once, arrived, all));
  EXPECT_TRUE(run_to_the_end(feeds));
  EXPECT_EQ(at_once.most, all);
}

}  // namespace
}  // namespace sluice
