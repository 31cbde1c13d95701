#include "framework/graph/tbb_executor.h"

#include <chrono>
#include <optional>

#include "framework/graph/tbb_executor_impl.h"

namespace sluice {
namespace {

// How long a worker without a job stays in its task. A TBB worker that finds no task looks for one for some
// 0.3 ms of CPU before it sleeps: for each frame of a camera, whose next one comes much later. Longer than
// the time between two frames of a slow camera; a pipeline that pauses gives its workers back.
constexpr std::chrono::milliseconds kLinger{150};

}  // namespace

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

TbbExecutor::~TbbExecutor() {
  shut_down();
  // TBB would wait for ever for the thread that it did not get, and may still run the task with another one.
  if (!impl_->lacks_a_thread) return;
  [[maybe_unused]] const Impl* const for_ever = impl_.release();
}

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

// A task of the worker's arena: runs jobs until there has been none for a while.
void TbbExecutor::Impl::work(std::size_t worker) {
  do {
    Turn turn(*this);
    while (const std::optional<WorkerCrew::Work> work = crew.take()) {
      if (work->more) wake_workers();
      work->source ? step(*work->source) : turn.run_chain(work->job);
    }
  } while (crew.rest(worker, kLinger));
}

// One capture, outside the turn: it may wait for what the turn still had to do.
void TbbExecutor::Impl::step(std::size_t source) {
  WorkerCrew::Stepped how = WorkerCrew::Stepped::kEnded;
  or_broken([&] {
    const Step step = Turn::outside([&] { return owner.step_source(static_cast<int>(source)); });
    if (step.kind == Step::Kind::kEnded) return;
    const bool waits = step.kind == Step::Kind::kWaitCredit;
    how = waits ? WorkerCrew::Stepped::kWaits : WorkerCrew::Stepped::kAgain;
  });
  crew.stepped(source, how);
}

// TBB throws when the system has no thread for it. It keeps the task, which it may run with another thread or
// never, and may have none for later tasks.
void TbbExecutor::Impl::wake_workers() {
  while (const std::optional<std::size_t> worker = crew.wake()) {
    try {
      arenas[*worker].enqueue([this, w = *worker] {
        if (crew.arrive(w)) work(w);
      });
    } catch (...) {
      lacks_a_thread = true;
      crew.not_sent(*worker);  // else the end of the run would wait for it
      throw;
    }
  }
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
  // Whoever pushes, or gives a packet back in a destructor, must not be thrown at.
  impl_->or_broken([&] { turn.settle(); });
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
