#include "framework/graph/executor.h"

#include <algorithm>
#include <chrono>

namespace sluice {

Executor::Executor(ExecutorSetup setup)
    : setup_(std::move(setup)),
      core_(setup_.graph, *setup_.storage),
      ends_(setup_.feeds.size()),
      pending_(setup_.feeds.size()) {
  core_.observe(setup_.observer);
}

void Executor::stop() {
  if (stopping_.exchange(true)) return;
  for (std::size_t s = 0; s < setup_.feeds.size(); ++s) {
    setup_.feeds[s]->interrupt();
    if (setup_.feeds[s]->external()) end_source(static_cast<int>(s), {});  // nobody steps it
  }
  {
    std::lock_guard lock(mutex_);
  }
  changed_.notify_all();
  setup_.clock->interrupt();
  wake_sources();
}

void Executor::abandon() {
  stop();
  {
    std::lock_guard lock(mutex_);
    core_.abandon(setup_.clock->now());
    for (SourceEnd& end : ends_) end.ended = true;
  }
  changed_.notify_all();
}

FlowCounters Executor::counters() const {
  std::lock_guard lock(mutex_);
  return core_.counters();
}

std::vector<Waiting> Executor::waiting() const {
  std::lock_guard lock(mutex_);
  return core_.waiting();
}

std::vector<SourceEnd> Executor::source_ends() const {
  std::lock_guard lock(mutex_);
  return ends_;
}

std::vector<int> Executor::sources_without_buffer() const {
  std::vector<int> out;
  for (std::size_t s = 0; s < setup_.feeds.size(); ++s) {
    if (setup_.feeds[s]->waits_for_buffer()) out.push_back(static_cast<int>(s));
  }
  return out;
}

int Executor::alive() const {
  std::lock_guard lock(mutex_);
  return core_.alive();
}

bool Executor::all_sources_ended() const {
  std::lock_guard lock(mutex_);
  return std::all_of(ends_.begin(), ends_.end(), [](const SourceEnd& end) { return end.ended; });
}

int Executor::stopped_by() const {
  std::lock_guard lock(mutex_);
  return stopped_by_;
}

void Executor::resume(std::uint32_t unit) {
  with_core([unit](FlowCore& core, TimeNs now, Actions& actions) { core.resume(unit, now, actions); });
}

void Executor::end_source(int source, Status status) {
  {
    std::lock_guard lock(mutex_);
    SourceEnd& end = ends_[static_cast<std::size_t>(source)];
    if (!end.ended) end = {true, std::move(status)};
  }
  changed_.notify_all();
}

void Executor::count_corrupt(int source) {
  std::lock_guard lock(mutex_);
  if (!core_.abandoned()) core_.corrupt(source);
}

void Executor::lose(int source, DropReason reason) {
  std::lock_guard lock(mutex_);
  if (!core_.abandoned()) core_.lose(source, reason);
}

bool Executor::wait_source_drained(int source) {
  std::unique_lock lock(mutex_);
  ++draining_;
  changed_.wait(lock, [&] { return core_.alive_of(source) == 0 || stopping_.load(); });
  --draining_;
  return core_.alive_of(source) == 0;
}

bool Executor::source_ended(int source) const {
  std::lock_guard lock(mutex_);
  return ends_[static_cast<std::size_t>(source)].ended;
}

bool Executor::finished_locked() const {
  for (const SourceEnd& end : ends_) {
    if (!end.ended) return false;
  }
  return core_.idle() && pushing_ == 0;
}

void Executor::note_stop(int node) {
  {
    std::lock_guard lock(mutex_);
    if (stopped_by_ < 0) stopped_by_ = node;
  }
  stop();
}

void Executor::finish(std::uint32_t unit, Slot slot, const Outcome& outcome) {
  if (outcome.kind == Outcome::Kind::kData) setup_.bodies->publish(unit, slot);
  with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
    core.finished(unit, slot, outcome, now, actions);
  });
}

Executor::Offered Executor::push(int source, const FrameInfo& frame) {
  SourceFeed* feed = setup_.feeds[static_cast<std::size_t>(source)];
  std::optional<Slot> slot;
  bool ended = true;  // as for a run that was abandoned, whose core is not asked
  with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
    ended = ends_[static_cast<std::size_t>(source)].ended;
    if (!ended) slot = core.offer(source, frame, now, actions);
    if (!ended && !slot && setup_.graph.lossless) ++pushing_;
  });
  if (ended) return Offered::kStopped;
  if (!slot && setup_.graph.lossless) {
    slot = wait_to_enter(source, frame);
  }
  if (!slot) return setup_.graph.lossless ? Offered::kStopped : Offered::kOverload;
  feed->store(*slot);
  with_core([&](FlowCore& core, TimeNs now, Actions& actions) { core.enter(source, *slot, now, actions); });
  return Offered::kAdmitted;
}

std::optional<Slot> Executor::wait_to_enter(int source, const FrameInfo& frame) {
  std::optional<Slot> slot;
  std::unique_lock lock(mutex_);
  Actions none;
  changed_.wait(lock, [&] {
    return stopping_ || (slot = core_.retry_offer(source, frame, setup_.clock->now(), none)).has_value();
  });
  --pushing_;
  if (!slot) core_.give_up(source, DropReason::kCancelled);
  if (finished_locked()) changed_.notify_all();
  return slot;
}

Executor::Step Executor::step_source(int source) {
  Pending& pending = pending_[static_cast<std::size_t>(source)];
  if (stopping_) return give_up(source);
  if (!pending.captured) {
    Step step{Step::Kind::kAgain};
    if (!make_capture(source, step)) return step;
  }
  const TimeNs due = setup_.feeds[static_cast<std::size_t>(source)]->enter_due();
  if (due > setup_.clock->now()) return {Step::Kind::kSleep, due};
  return offer(source);
}

// False when there is no capture to go on with; `step` says what to do then.
bool Executor::make_capture(int source, Step& step) {
  SourceFeed* feed = setup_.feeds[static_cast<std::size_t>(source)];
  const TimeNs due = feed->next_due();
  if (due > setup_.clock->now()) {
    step = {Step::Kind::kSleep, due};
    return false;
  }
  const TimeNs begin = setup_.observer ? setup_.clock->now() : 0;
  Result<FrameInfo> frame = feed->next();
  if (frame.ok()) {
    if (setup_.observer) tell_capture(source, frame->number, begin);
    pending_[static_cast<std::size_t>(source)] = {true, false, *frame};
    return true;
  }
  const Status status = frame.status();
  if (status.code() == Code::kPoolEmpty) {
    with_core([&](FlowCore& core, TimeNs, Actions&) { core.lose(source, DropReason::kPoolEmpty); });
    return false;
  }
  const bool regular = status.code() == Code::kEndOfStream || status.code() == Code::kCancelled;
  end_source(source, regular ? Status{} : status);
  step = {Step::Kind::kEnded};
  return false;
}

void Executor::tell_capture(int source, std::uint64_t number, TimeNs begin) {
  const int unit = setup_.graph.sources[static_cast<std::size_t>(source)].unit;
  const int node = setup_.graph.units[static_cast<std::size_t>(unit)].nodes[0];
  const TimeNs end = setup_.clock->now();
  std::lock_guard lock(mutex_);
  setup_.observer->on_event({FlowEvent::Kind::kCapture, DropReason::kNone, static_cast<std::uint16_t>(source),
                             this_thread(), node, number, begin, end});
}

Executor::Step Executor::give_up(int source) {
  Pending& pending = pending_[static_cast<std::size_t>(source)];
  if (pending.offered) {
    with_core([&](FlowCore& core, TimeNs, Actions&) { core.give_up(source, DropReason::kCancelled); });
  }
  if (pending.captured) setup_.feeds[static_cast<std::size_t>(source)]->discard();
  pending = {};
  end_source(source, {});
  return {Step::Kind::kEnded};
}

Executor::Step Executor::offer(int source) {
  Pending& pending = pending_[static_cast<std::size_t>(source)];
  SourceFeed* feed = setup_.feeds[static_cast<std::size_t>(source)];
  std::optional<Slot> slot;
  with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
    slot = pending.offered ? core.retry_offer(source, pending.frame, now, actions)
                           : core.offer(source, pending.frame, now, actions);
  });
  if (!slot && setup_.graph.lossless) {
    pending.offered = true;
    return {Step::Kind::kWaitCredit};
  }
  pending = {};
  if (!slot) {
    feed->discard();
    return {Step::Kind::kAgain};
  }
  feed->store(*slot);
  with_core([&](FlowCore& core, TimeNs now, Actions& actions) { core.enter(source, *slot, now, actions); });
  return {Step::Kind::kAgain};
}

}  // namespace sluice
