// What the files of the TBB executor share. Only they include it.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>  // attach, finalize
#include <tbb/task_arena.h>

#include "framework/core/guarded.h"
#include "framework/graph/tbb_executor.h"
#include "framework/graph/tbb_threads.h"
#include "framework/graph/worker_crew.h"

namespace sluice {

struct TbbExecutor::Impl {
  // A unit's place in the graph. It is told what its producers have said; bodies do not run in here, so the
  // thread that delivers a message hears it at once instead of making a task of it.
  using UnitNode = tbb::flow::multifunction_node<Message, std::tuple<Message>, tbb::flow::lightweight>;
  using SourceOut = tbb::flow::broadcast_node<Message>;

  // Joins TBB's worker threads with the last executor, unless something else in the process uses them too.
  struct Scheduler {
    tbb::task_scheduler_handle handle{tbb::attach{}};
    ~Scheduler() { tbb::finalize(handle, std::nothrow); }
  };

  // What the calling thread still has to carry out for this executor. Answers of the core that come while it
  // does are added to it, so that a long chain of absences needs no deep stack.
  class Turn;

  explicit Impl(TbbExecutor& executor, int workers)
      : owner(executor),
        crew({static_cast<std::size_t>(workers),
              executor.setup_.graph.lossless ? executor.setup_.feeds.size() : 0,
              [this] { return owner.inside(); }, enough()}),
        thread_limit(crew.most_workers()) {
    // A worker only, no place kept for the calling thread.
    for (std::size_t i = 0; i < crew.most_workers(); ++i) arenas.emplace_back(1, 0);
    arenas.front().execute([this] { graph = std::make_unique<tbb::flow::graph>(); });
  }

  void make_nodes();
  void connect();
  void start_threads();
  void start_sources();
  std::size_t threads_needed() const;
  template <typename F>
  void or_broken(F&& f);
  void on_message(std::uint32_t unit, Message message);
  void carry_out(const Action& action, Turn& turn);
  void dispatch(Job job, Turn& turn);
  void deliver(std::uint32_t unit, Slot slot);
  void run(std::uint32_t unit, Slot slot);
  void work(std::size_t worker);
  void step(std::size_t source);
  void wake_workers();
  // By the workers; the others have threads.
  bool is_stepped(std::size_t source) const {
    return owner.setup_.graph.lossless && !manual && computes(*owner.setup_.feeds[source]) &&
           !alone_beside_lanes;
  }
  static bool computes(const SourceFeed& feed) { return !feed.external() && feed.only_computes(); }
  // Where models run in lanes, the workers have short work only. With each piece of it a single source would
  // go from one worker to the other, away from what its decoder has in the caches: 7 % of its rate, measured.
  bool one_computes_beside_lanes() const {
    const auto feeds = std::ranges::count_if(owner.setup_.feeds, [](SourceFeed* f) { return computes(*f); });
    return feeds == 1 &&
           std::ranges::find(owner.setup_.threads, ThreadKind::kLane) != owner.setup_.threads.end();
  }
  // A source's credits are what the plan thinks enough to keep the graph busy.
  int enough() const {
    int most = 1;
    for (const FlowSource& source : owner.setup_.graph.sources) most = std::max(most, source.credits);
    return most;
  }
  void source_thread(int source);
  void source_timer(int source);
  void wake_source(std::uint32_t source);
  void wait_credit(int source);
  void finish_later(std::uint32_t unit, Slot slot, const FrameInfo& frame, const Outcome& outcome);
  void schedule_source(int source, TimeNs due);
  void busy() {
    if (manual) busy_count.fetch_add(1, std::memory_order_relaxed);
  }
  void unbusy();

  TbbExecutor& owner;
  WorkerCrew crew;
  TbbThreads thread_limit;  // before the scheduler, so that TBB starts with it
  Scheduler scheduler;
  // One per worker. TBB wakes as many workers as an arena may have, however few tasks it got, and each that
  // finds nothing spins for some 0.3 ms, perhaps on the core of a decoder.
  std::deque<tbb::task_arena> arenas;
  std::unique_ptr<tbb::flow::graph> graph;
  std::vector<std::unique_ptr<UnitNode>> nodes;     // by unit; null for sources
  std::vector<std::unique_ptr<SourceOut>> sources;  // by unit; null for others
  std::vector<std::unique_ptr<Inbox>> inboxes;      // by unit; null for workers
  std::vector<std::thread> threads;
  std::size_t sources_started = 0;
  std::vector<char> credit;                         // by source: kCredit came (under owner.mutex_)
  std::deque<std::condition_variable> credit_came;  // by source: a credit wakes the one that waits for it
  std::atomic<bool> lacks_a_thread{false};          // TBB waits for one that the system did not have
  bool manual = false;
  const bool alone_beside_lanes = one_computes_beside_lanes();
  std::atomic<int> busy_count{0};  // manual clock: turns, jobs and threads at work
  int timers = 0;                  // cost model: results that the clock holds (idle_mutex)
  std::mutex idle_mutex;
  std::condition_variable idle;
};

// Bodies and the core throw nothing; TBB may, when it has no memory for a message, which is lost then.
template <typename F>
void TbbExecutor::Impl::or_broken(F&& f) {
  try {
    f();
  } catch (...) {
    if (owner.setup_.on_broken) owner.setup_.on_broken(status_of_exception());
  }
}

}  // namespace sluice
