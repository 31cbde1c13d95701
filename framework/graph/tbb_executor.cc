#include "framework/graph/tbb_executor.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <optional>
#include <thread>
#include <tuple>

#include <tbb/flow_graph.h>
#include <tbb/global_control.h>  // attach, finalize
#include <tbb/task_arena.h>

#include "framework/core/guarded.h"
#include "framework/graph/source_turns.h"
#include "framework/graph/tbb_threads.h"
#include "framework/graph/worker_crew.h"

namespace sluice {
namespace {

// A unit's place in the graph. It is told what its producers have said; bodies do not run in here, so the
// thread that delivers a message hears it at once instead of making a task of it.
using UnitNode = tbb::flow::multifunction_node<Message, std::tuple<Message>, tbb::flow::lightweight>;
using SourceOut = tbb::flow::broadcast_node<Message>;

// How long a worker without a job stays in its task. A TBB worker that finds no task looks for one for some
// 0.3 ms of CPU before it sleeps: for each frame of a camera, whose next one comes much later. Longer than
// the time between two frames of a slow camera; a pipeline that pauses gives its workers back. As fast as
// possible the next job comes soon, and a worker that still looks takes it without being woken.
constexpr std::chrono::milliseconds kLinger{150};

// Joins TBB's worker threads with the last executor, unless something else in the process uses them too.
struct Scheduler {
  tbb::task_scheduler_handle handle{tbb::attach{}};
  ~Scheduler() { tbb::finalize(handle, std::nothrow); }
};

}  // namespace

struct TbbExecutor::Impl {
  // What the calling thread still has to carry out for this executor. Answers of the core that come while it
  // does are added to it, so that a long chain of absences needs no deep stack.
  class Turn;

  explicit Impl(TbbExecutor& executor, int workers)
      : owner(executor),
        thread_limit(static_cast<std::size_t>(workers)),
        crew(static_cast<std::size_t>(workers)),
        turns(SourceTurns::this_process([this] { return graph_behind(); }), executor.setup_.feeds.size()) {
    // A worker only, no place kept for the calling thread.
    for (int i = 0; i < workers; ++i) arenas.emplace_back(1, 0);
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
  std::chrono::nanoseconds linger() const;
  void wake_workers();
  bool takes_turns(int source) const {
    return owner.setup_.graph.lossless &&
           owner.setup_.feeds[static_cast<std::size_t>(source)]->only_computes();
  }
  // A source's credits are what the plan thinks enough to keep the graph busy.
  bool graph_behind() const {
    int enough = 0;
    for (const FlowSource& source : owner.setup_.graph.sources) enough = std::max(enough, source.credits);
    return owner.alive() > 2 * enough;
  }
  void source_rests(int source);
  void source_works(int source);
  void source_yields(int source);
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
  WorkerCrew crew;
  SourceTurns turns;
  bool manual = false;
  std::atomic<int> busy_count{0};  // manual clock: turns, jobs and threads at work
  int timers = 0;                  // cost model: results that the clock holds (idle_mutex)
  std::mutex idle_mutex;
  std::condition_variable idle;
};

class TbbExecutor::Impl::Turn {
 public:
  explicit Turn(Impl& owner) : owner_(owner), outer_(std::exchange(current, this)) { owner_.busy(); }
  ~Turn() {
    current = outer_;
    owner_.unbusy();
  }
  Turn(const Turn&) = delete;

  static Turn* of(const Impl& owner) { return current && &current->owner_ == &owner ? current : nullptr; }
  void add(const Actions& actions) {
    for (std::size_t i = 0; i < actions.size(); ++i) todo_.push_back(actions[i]);
  }
  void settle();
  void run_chain(Job job);
  // Calls f without a turn.
  template <typename F>
  static auto outside(F&& f) {
    struct Back {
      Turn* turn = std::exchange(current, nullptr);
      ~Back() { current = turn; }
    } back;
    return f();
  }
  // A worker goes on with the frame that it has in its caches; everything else waits for its turn.
  bool keeps(Job job) {
    if (job.slot != running_ || next_) return false;
    next_ = job;
    return true;
  }

 private:
  static thread_local Turn* current;
  Impl& owner_;
  Turn* outer_;
  Actions todo_;
  Slot running_ = kNoSlot;  // a worker's frame
  std::optional<Job> next_;
};

thread_local TbbExecutor::Impl::Turn* TbbExecutor::Impl::Turn::current = nullptr;

// The newest first: what follows from one action is done before the next, so that the list stays short.
void TbbExecutor::Impl::Turn::settle() {
  while (todo_.size() > 0) owner_.carry_out(todo_.take_last(), *this);
}

// Runs the job, and what the same frame starts after it. A body is outside the turn: what it pushes into its
// own pipeline is carried out at once.
void TbbExecutor::Impl::Turn::run_chain(Job job) {
  next_ = job;
  while (next_) {
    const Job now = *std::exchange(next_, std::nullopt);
    running_ = now.slot;
    owner_.or_broken([&] {
      owner_.run(now.unit, now.slot);
      settle();
    });
    owner_.unbusy();
  }
  running_ = kNoSlot;
}

TbbExecutor::TbbExecutor(ExecutorSetup setup) : Executor(std::move(setup)) {
  int workers = setup_.workers;
  if (workers <= 0) workers = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  impl_ = std::make_unique<Impl>(*this, workers);
  impl_->manual = setup_.clock->manual();
  impl_->credit.resize(setup_.feeds.size());
  impl_->credit_came.resize(setup_.feeds.size());
  impl_->make_nodes();
  impl_->connect();
}

TbbExecutor::~TbbExecutor() { shut_down(); }

void TbbExecutor::Impl::make_nodes() {
  const FlowGraph& flow = owner.setup_.graph;
  nodes.resize(flow.units.size());
  sources.resize(flow.units.size());
  inboxes.resize(flow.units.size());
  std::size_t most_ready = 1;
  for (std::uint32_t u = 0; u < flow.units.size(); ++u) {
    if (flow.units[u].is_source) {
      sources[u] = std::make_unique<SourceOut>(*graph);
      continue;
    }
    if (owner.setup_.threads[u] != ThreadKind::kWorker)
      inboxes[u] = std::make_unique<Inbox>(flow.units[u].concurrency);
    else
      most_ready += static_cast<std::size_t>(flow.units[u].concurrency);
    // Unlimited for TBB: how many frames a unit runs at once is the flow core's to decide.
    nodes[u] = std::make_unique<UnitNode>(
        *graph, tbb::flow::unlimited,
        [this, u](const Message& m, UnitNode::output_ports_type&) noexcept { on_message(u, m); });
  }
  crew.reserve(most_ready);
}

void TbbExecutor::Impl::connect() {
  for (std::uint32_t u = 0; u < nodes.size(); ++u) {
    for (std::uint32_t c : owner.core_.consumers(u)) {
      if (sources[u]) {
        tbb::flow::make_edge(*sources[u], *nodes[c]);
      } else {
        tbb::flow::make_edge(tbb::flow::output_port<0>(*nodes[u]), *nodes[c]);
      }
    }
  }
}

Status TbbExecutor::start() {
  Status status = guarded([this]() -> Status {
    impl_->start_threads();
    impl_->start_sources();
    return {};
  });
  if (status.ok()) return status;
  stop();
  for (std::size_t s = impl_->sources_started; s < setup_.feeds.size(); ++s)
    end_source(static_cast<int>(s), {});
  return status.with_context("the run's threads cannot be started: ");
}

void TbbExecutor::Impl::start_sources() {
  const std::size_t all = owner.setup_.feeds.size();
  for (; sources_started < all; ++sources_started) {
    const int source = static_cast<int>(sources_started);
    if (owner.setup_.feeds[sources_started]->external()) continue;
    if (manual) {
      schedule_source(source, 0);
    } else {
      threads.emplace_back([this, source] { or_broken([this, source] { source_thread(source); }); });
    }
  }
}

void TbbExecutor::Impl::start_threads() {
  threads.reserve(threads_needed());  // a thread that runs must find its place in the list
  for (std::uint32_t u = 0; u < inboxes.size(); ++u) {
    if (!inboxes[u]) continue;
    for (int i = 0; i < owner.setup_.graph.units[u].concurrency; ++i) {
      threads.emplace_back([this, u] {
        for (Slot slot = inboxes[u]->take(); slot != kNoSlot; slot = inboxes[u]->take()) {
          or_broken([this, u, slot] { run(u, slot); });
          unbusy();
        }
      });
    }
  }
}

std::size_t TbbExecutor::Impl::threads_needed() const {
  std::size_t needed = owner.setup_.feeds.size();
  for (std::size_t u = 0; u < inboxes.size(); ++u) {
    if (inboxes[u]) needed += static_cast<std::size_t>(owner.setup_.graph.units[u].concurrency);
  }
  return needed;
}

// Bodies and the core throw nothing; TBB may, when it has no memory for a message, which is lost then.
template <typename F>
void TbbExecutor::Impl::or_broken(F&& f) {
  try {
    f();
  } catch (...) {
    if (owner.setup_.on_broken) owner.setup_.on_broken(status_of_exception());
  }
}

void TbbExecutor::Impl::unbusy() {
  if (!manual || busy_count.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  {
    std::lock_guard lock(idle_mutex);
  }
  idle.notify_all();
}

// A message came over an edge.
void TbbExecutor::Impl::on_message(std::uint32_t unit, Message message) {
  or_broken([&] {
    owner.with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
      core.arrive(message.unit, unit, message.slot, now, actions);
    });
  });
}

void TbbExecutor::Impl::run(std::uint32_t unit, Slot slot) {
  const FrameInfo frame = owner.core_.frame(slot);
  const Outcome outcome = Turn::outside([&] { return owner.setup_.bodies->run(unit, slot, frame); });
  if (!owner.setup_.cost) {
    owner.finish(unit, slot, outcome);
    return;
  }
  finish_later(unit, slot, frame, outcome);
}

// --- workers -----------------------------------------------------------------------------------------------

std::chrono::nanoseconds TbbExecutor::Impl::linger() const {
  return owner.setup_.graph.lossless ? std::chrono::nanoseconds(0) : kLinger;
}

// A task of the worker's arena: runs jobs until there has been none for a while.
void TbbExecutor::Impl::work(std::size_t worker) {
  crew.arrive();
  do {
    Turn turn(*this);
    while (const std::optional<Job> job = crew.take()) turn.run_chain(*job);
  } while (crew.rest(worker, linger()));
}

void TbbExecutor::Impl::wake_workers() {
  while (const std::optional<std::size_t> worker = crew.wake())
    arenas[*worker].enqueue([this, w = *worker] { work(w); });
}

void TbbExecutor::Impl::source_rests(int source) {
  if (!owner.setup_.graph.lossless) return;  // a live source waits where nobody sees it
  if (takes_turns(source)) turns.give_back();
  crew.source_rests(true);
  wake_workers();
}

void TbbExecutor::Impl::source_works(int source) {
  if (!owner.setup_.graph.lossless) return;
  if (takes_turns(source)) turns.take(static_cast<std::size_t>(source));
  crew.source_rests(false);
}

void TbbExecutor::Impl::source_yields(int source) {
  if (takes_turns(source)) turns.yield(static_cast<std::size_t>(source));
}

void TbbExecutor::source_rests(int source, bool rests) {
  rests ? impl_->source_rests(source) : impl_->source_works(source);
}

bool TbbExecutor::wait_source_drained(int source) {
  const bool stepped = !impl_->manual && !setup_.feeds[static_cast<std::size_t>(source)]->external();
  if (!stepped) return Executor::wait_source_drained(source);
  // Its frames may wait for those of a source that waits for its turn.
  impl_->source_rests(source);
  const bool drained = Executor::wait_source_drained(source);
  impl_->source_works(source);
  return drained;
}

void TbbExecutor::Impl::finish_later(std::uint32_t unit, Slot slot, const FrameInfo& frame,
                                     const Outcome& outcome) {
  {
    std::lock_guard lock(idle_mutex);
    ++timers;
  }
  Clock& clock = *owner.setup_.clock;
  const TimerKey key{unit, static_cast<std::int64_t>(frame.number)};
  clock.at(clock.now() + owner.setup_.cost(unit, frame), key, [this, unit, slot, outcome] {
    busy();
    owner.finish(unit, slot, outcome);
    unbusy();
    std::lock_guard lock(idle_mutex);
    if (--timers == 0) idle.notify_all();
  });
}

void TbbExecutor::carry_out(const Actions& actions) {
  if (actions.size() == 0) return;
  if (Impl::Turn* turn = Impl::Turn::of(*impl_)) return turn->add(actions);
  Impl::Turn turn(*impl_);
  turn.add(actions);
  turn.settle();
}

void TbbExecutor::Impl::carry_out(const Action& action, Turn& turn) {
  switch (action.kind) {
    case Action::Kind::kDeliver:
      return deliver(action.unit, action.slot);
    case Action::Kind::kStart:
      return dispatch({action.unit, action.slot}, turn);
    case Action::Kind::kCredit:
      return wake_source(action.unit);
    case Action::Kind::kStop:
      return owner.note_stop(static_cast<int>(action.unit));
  }
}

void TbbExecutor::Impl::deliver(std::uint32_t unit, Slot slot) {
  const Message message{unit, slot};
  if (sources[unit]) {
    sources[unit]->try_put(message);
  } else {
    tbb::flow::output_port<0>(*nodes[unit]).try_put(message);
  }
}

void TbbExecutor::Impl::dispatch(Job job, Turn& turn) {
  busy();
  if (inboxes[job.unit]) {
    inboxes[job.unit]->put(job.slot);
  } else if (!turn.keeps(job)) {
    crew.put(job);
    wake_workers();
  }
}

// --- sources -----------------------------------------------------------------------------------------------

void TbbExecutor::Impl::source_thread(int source) {
  while (true) {
    source_works(source);
    Step step{Step::Kind::kAgain};
    while (step.kind == Step::Kind::kAgain) {
      step = owner.step_source(source);
      if (step.kind == Step::Kind::kAgain) source_yields(source);
    }
    source_rests(source);
    if (step.kind == Step::Kind::kEnded) return;
    if (step.kind == Step::Kind::kSleep) {
      owner.setup_.clock->sleep_until(step.until, [this] { return owner.stopping_.load(); });
    }
    if (step.kind == Step::Kind::kWaitCredit) wait_credit(source);
  }
}

void TbbExecutor::Impl::wait_credit(int source) {
  std::unique_lock lock(owner.mutex_);
  char& came = credit[static_cast<std::size_t>(source)];
  credit_came[static_cast<std::size_t>(source)].wait(lock, [&] { return came || owner.stopping_.load(); });
  came = 0;
}

// Manual clock: one step per timer, in the thread that advances the clock.
void TbbExecutor::Impl::source_timer(int source) {
  if (owner.source_ended(source)) return;  // an old timer, after `stop`
  busy();
  const Step step = owner.step_source(source);
  if (step.kind == Step::Kind::kAgain) schedule_source(source, owner.setup_.clock->now());
  if (step.kind == Step::Kind::kSleep) schedule_source(source, step.until);
  unbusy();
}

void TbbExecutor::Impl::schedule_source(int source, TimeNs due) {
  owner.setup_.clock->at(due, TimerKey{-1, source}, [this, source] { source_timer(source); });
}

void TbbExecutor::Impl::wake_source(std::uint32_t source) {
  // A push of an app_source waits there, with everybody who waits for the run's end.
  if (owner.setup_.feeds[source]->external()) return owner.changed_.notify_all();
  if (manual) return schedule_source(static_cast<int>(source), owner.setup_.clock->now());
  {
    std::lock_guard lock(owner.mutex_);
    credit[source] = 1;
  }
  credit_came[source].notify_one();
}

void TbbExecutor::wake_sources() {
  impl_->turns.end();
  if (!impl_->manual) {
    {
      std::lock_guard lock(mutex_);
    }
    for (std::condition_variable& came : impl_->credit_came) came.notify_one();
    return;
  }
  for (int s = 0; s < static_cast<int>(setup_.feeds.size()); ++s) {
    if (!source_ended(s)) impl_->schedule_source(s, setup_.clock->now());
  }
}

// --- the end -----------------------------------------------------------------------------------------------

bool TbbExecutor::wait(double timeout_real_s) {
  std::unique_lock lock(mutex_);
  const auto limit = std::chrono::steady_clock::now() + std::chrono::duration<double>(timeout_real_s);
  while (!finished_locked()) {
    if (changed_.wait_until(lock, limit) == std::cv_status::timeout) return finished_locked();
  }
  return true;
}

void TbbExecutor::wait_idle() {
  std::unique_lock lock(impl_->idle_mutex);
  impl_->idle.wait(lock, [this] { return impl_->busy_count.load(std::memory_order_acquire) == 0; });
}

void TbbExecutor::shut_down() {
  stop();
  for (auto& inbox : impl_->inboxes) {
    if (inbox) inbox->close();
  }
  for (std::thread& t : impl_->threads) {
    if (t.joinable()) t.join();
  }
  impl_->threads.clear();
  if (!impl_->manual) {
    std::unique_lock lock(impl_->idle_mutex);
    impl_->idle.wait(lock, [this] { return impl_->timers == 0; });
  }
  impl_->crew.close();
}

}  // namespace sluice
