// What drives a flow core: bodies to run, sources to feed it, a clock to obey. Two implementations:
// tbb_executor (threads, real time) and discrete_executor (one thread, a manual clock).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "framework/core/allocation_scope.h"
#include "framework/core/clock.h"
#include "framework/core/status.h"
#include "framework/graph/flow_core.h"
#include "framework/node/declaration.h"

namespace sluice {

// Runs units: run(unit, slot) -> Outcome. Real nodes measure their duration; a cost model may answer instead.
// `run` is called by the thread the unit declares, never for more frames at once than its concurrency.
class Bodies {
 public:
  virtual ~Bodies() = default;
  // `outcome.runs` stays valid until the unit runs again for this slot. Never throws.
  virtual Outcome run(std::uint32_t unit, Slot slot, const FrameInfo& frame) = 0;
  // The unit's outputs become visible to `latest` ports; called just before the core hears of it. The outcome
  // is data.
  virtual void publish(std::uint32_t unit, Slot slot) = 0;
  // Destroys what FlowStorage::release moved out in this thread; called with no lock held.
  virtual void sweep() {}
};

// One source as the executor sees it. Called by one thread at a time but for `interrupt`.
class SourceFeed {
 public:
  virtual ~SourceFeed() = default;
  // When the next capture should be made; in the past: at once.
  virtual TimeNs next_due() = 0;
  // Makes a capture and keeps it. May block (not in the discrete executor). kEndOfStream, kPoolEmpty (a
  // capture was lost), kCancelled, or an error that ends the source.
  virtual Result<FrameInfo> next() = 0;
  // A paced file may be ahead of its clock: the kept capture must not enter before this.
  virtual TimeNs enter_due() = 0;
  // The kept capture got this slot: its packet becomes the output of the source's unit.
  virtual void store(Slot slot) = 0;
  virtual void discard() = 0;
  virtual void interrupt() = 0;
  // It is never too early for it, and it waits for nothing outside the program: workers may step it.
  virtual bool only_computes() const { return false; }
  // Pushed to from outside (app_source): nobody steps it.
  virtual bool external() const { return false; }
  // Its next capture waits for a free buffer or packet of its pool (lossless). Any thread.
  virtual bool waits_for_buffer() const { return false; }
};

// How long a unit takes for a frame, instead of what was measured; kNever: not known yet, the discrete
// executor is told with `end_run`. Deterministic.
using CostModel = std::function<TimeNs(std::uint32_t unit, const FrameInfo& frame)>;

struct ExecutorSetup {
  FlowGraph graph;
  std::vector<ThreadKind> threads;  // by unit
  std::vector<SourceFeed*> feeds;   // by source; none null
  Bodies* bodies = nullptr;
  FlowStorage* storage = nullptr;
  Clock* clock = nullptr;
  CostModel cost;                    // none: as measured
  FlowObserver* observer = nullptr;  // told of everything that happens; null: nobody
  // Told, from any thread, that the executor itself failed (memory for a message is short, say): the run can
  // only be abandoned.
  std::function<void(const Status&)> on_broken;
  int workers = 0;  // TBB workers; 0: one per core
};

struct SourceEnd {
  bool ended = false;
  Status status;  // why, when not its regular end
};

// Base of both: owns the core and its lock, steps the sources, and knows when all is done.
class Executor {
 public:
  explicit Executor(ExecutorSetup setup);
  virtual ~Executor() = default;
  Executor(const Executor&) = delete;

  // kFailed when its threads cannot be started: then the run is stopped, and `wait` for its end.
  virtual Status start() = 0;
  // No more captures; frames inside finish. Any thread, also from a node's failure.
  void stop();
  // Blocks until every source has ended and no frame is inside, or until `timeout_real` seconds of real time
  // have passed; false then. The discrete executor runs everything in here.
  virtual bool wait(double timeout_real_s) = 0;
  // Joins its threads: after `wait` said true.
  virtual void shut_down() = 0;
  // Ends a run that cannot end by itself, because a body or a source does not come back: frames inside are
  // counted as lost (FlowCore::abandon), sources that go on count as ended, and `wait` says true. Threads
  // that hang may come back later and find nothing to do: the executor and all that `setup` names must live
  // as long as the process, and `shut_down` must not be called.
  void abandon();

  FlowCounters counters() const;  // a consistent copy, at any time
  std::vector<Waiting> waiting() const;
  std::vector<SourceEnd> source_ends() const;
  // By index; those whose next capture waits for a free buffer.
  std::vector<int> sources_without_buffer() const;
  int alive() const;
  // The same as it was a moment ago; takes no lock.
  int inside() const { return inside_.load(std::memory_order_relaxed); }
  bool stopping() const { return stopping_.load(); }
  bool all_sources_ended() const;
  // Node that ended the run under its on_error rule, or -1.
  int stopped_by() const;
  // FlowCore::moves of a moment ago; takes no lock.
  std::uint64_t progress() const { return progress_.load(std::memory_order_relaxed); }
  // A pool that made `unit` wait has something again. Any thread.
  void resume(std::uint32_t unit);
  // For sources that are pushed to (app_source): as the source's own thread would. kOverload is counted
  // inside.
  enum class Offered { kAdmitted, kOverload, kStopped };
  Offered push(int source, const FrameInfo& frame);
  void end_source(int source, Status status);
  void count_corrupt(int source);
  // The thread of a source that the executor steps is about to wait for a buffer (true), or goes on (false).
  virtual void source_rests(int /*source*/, bool) {}
  // A capture of an external source that could not be made.
  void lose(int source, DropReason reason);
  // Waits (in the source's thread) until no frame of it is inside; false when stopped meanwhile.
  virtual bool wait_source_drained(int source);
  FlowCore& core_for_tests() { return core_; }

 protected:
  // How far a source's step got.
  struct Step {
    enum class Kind { kAgain, kSleep, kWaitCredit, kEnded } kind;
    TimeNs until = 0;
  };
  Step step_source(int source);
  // Calls f(core, now, actions) under the lock, then carries out the actions.
  template <typename F>
  void with_core(F&& f);
  void finish(std::uint32_t unit, Slot slot, const Outcome& outcome);
  virtual void carry_out(const Actions& actions) = 0;
  // Sources that sleep or wait for a credit have to look at `stopping_` now. Called once, with no lock held.
  virtual void wake_sources() = 0;
  bool source_ended(int source) const;
  // All sources ended and nothing inside.
  bool finished_locked() const;
  void note_stop(int node);

  ExecutorSetup setup_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  FlowCore core_;
  std::vector<SourceEnd> ends_;
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> progress_{0};
  std::atomic<int> inside_{0};

 private:
  struct Pending {
    bool captured = false;  // the feed keeps a capture
    bool offered = false;   // it was offered and waits for a credit
    FrameInfo frame;
  };
  // A push that got no credit at once; nothing when the run was stopped first.
  std::optional<Slot> wait_to_enter(int source, const FrameInfo& frame);
  Step give_up(int source);
  Step offer(int source);
  bool make_capture(int source, Step& step);
  void tell_capture(int source, std::uint64_t number, TimeNs begin);

  std::vector<Pending> pending_;
  int stopped_by_ = -1;
  int draining_ = 0;  // sources that wait for their frames to leave
  int pushing_ = 0;   // pushes that wait for a credit
};

template <typename F>
void Executor::with_core(F&& f) {
  Actions actions;
  {
    const OwnCode own;
    std::lock_guard lock(mutex_);
    if (core_.abandoned()) return;
    f(core_, setup_.clock->now(), actions);
    progress_.store(core_.moves(), std::memory_order_relaxed);
    inside_.store(core_.alive(), std::memory_order_relaxed);
    if (draining_ > 0 || (core_.idle() && finished_locked())) changed_.notify_all();
  }
  setup_.bodies->sweep();
  carry_out(actions);
}

}  // namespace sluice
