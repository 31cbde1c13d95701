#include "framework/graph/discrete_executor.h"

namespace sluice {

DiscreteExecutor::DiscreteExecutor(ExecutorSetup setup, ManualClock& clock)
    : Executor(std::move(setup)), clock_(clock) {}

Status DiscreteExecutor::start() {
  for (std::size_t s = 0; s < setup_.feeds.size(); ++s) {
    if (setup_.feeds[s]->external()) continue;
    events_.push_back({Event::Kind::kSource, static_cast<std::uint32_t>(s), 0, kNoSlot});
  }
  return {};
}

bool DiscreteExecutor::wait(double) {
  while (true) {
    while (!events_.empty()) run_event();
    if (finished_locked()) return true;
    if (stopping_) {  // sources that sleep or wait for a credit must hear of it
      bool left = false;
      for (std::size_t s = 0; s < ends_.size(); ++s) {
        if (ends_[s].ended) continue;
        left = true;
        run_source(static_cast<int>(s));
      }
      if (left) continue;
    }
    if (!clock_.advance_one()) return finished_locked();
  }
}

void DiscreteExecutor::run_event() {
  if (on_event_) on_event_();
  const Event event = events_.front();
  events_.pop_front();
  switch (event.kind) {
    case Event::Kind::kArrive:
      if (loses(event.producer, event.unit, event.slot)) break;
      with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
        core.arrive(event.producer, event.unit, event.slot, now, actions);
      });
      break;
    case Event::Kind::kStart:
      run_unit(event.unit, event.slot);
      break;
    case Event::Kind::kSource:
      run_source(static_cast<int>(event.unit));
      break;
  }
}

bool DiscreteExecutor::loses(std::uint32_t producer, std::uint32_t consumer, Slot slot) {
  if (messages_++ != lose_) return false;
  lost_ = LostMessage{producer, consumer, core_.frame(slot)};
  return true;
}

void DiscreteExecutor::run_unit(std::uint32_t unit, Slot slot) {
  const FrameInfo frame = core_.frame(slot);
  const Outcome outcome = setup_.bodies->run(unit, slot, frame);
  if (!setup_.cost) {
    finish(unit, slot, outcome);
    return;
  }
  const TimeNs cost = setup_.cost(unit, frame);
  if (cost == kNever) return;  // end_run
  const TimerKey key{unit, static_cast<std::int64_t>(frame.number)};
  clock_.at(clock_.now() + cost, key, [=, this] { finish(unit, slot, outcome); });
}

void DiscreteExecutor::run_source(int source) {
  if (ends_[static_cast<std::size_t>(source)].ended) return;
  if (setup_.feeds[static_cast<std::size_t>(source)]->external() && !stopping_) return;
  const Step step = step_source(source);
  const Event again{Event::Kind::kSource, static_cast<std::uint32_t>(source), 0, kNoSlot};
  if (step.kind == Step::Kind::kAgain) events_.push_back(again);
  if (step.kind == Step::Kind::kSleep) {
    clock_.at(step.until, TimerKey{-1, source}, [this, again] { events_.push_back(again); });
  }
}

void DiscreteExecutor::carry_out(const Actions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& a = actions[i];
    switch (a.kind) {
      case Action::Kind::kStart:
        events_.push_back({Event::Kind::kStart, a.unit, 0, a.slot});
        break;
      case Action::Kind::kCredit:
        events_.push_back({Event::Kind::kSource, a.unit, 0, kNoSlot});
        break;
      case Action::Kind::kStop:
        note_stop(static_cast<int>(a.unit));
        break;
      case Action::Kind::kDeliver:
        for (std::uint32_t c : core_.consumers(a.unit))
          events_.push_back({Event::Kind::kArrive, c, a.unit, a.slot});
        break;
    }
  }
}

}  // namespace sluice
