#include "tests/framework/graph/adverse_executor.h"

#include <algorithm>

#include "tests/framework/graph/random_pipeline.h"

namespace sluice::testing {
namespace {

constexpr std::uint64_t kMostSteps = 100000;  // runs of these tests need some thousands
constexpr std::uint64_t kGrudges = 8;         // one against a unit is drawn more often: there are many
constexpr std::uint64_t kUnits = 5;           // the last of Grudge

}  // namespace

AdverseExecutor::AdverseExecutor(ExecutorSetup setup, std::vector<PatientFeed*> feeds, std::uint64_t seed)
    : Executor(std::move(setup)),
      feeds_(std::move(feeds)),
      credit_(feeds_.size(), true),
      seed_(seed),
      grudge_(static_cast<Grudge>(std::min<std::uint64_t>(mixed(seed, 17) % kGrudges, kUnits))) {}

std::uint64_t AdverseExecutor::dice() { return mixed(seed_, ++steps_); }

bool AdverseExecutor::wait(double) {
  while (steps_ < kMostSteps) {
    const std::vector<Event> events = possible();
    if (events.empty()) return finished_locked();
    const Event event = events[choose(events)];
    happen(event);
  }
  return false;
}

// Messages of a realtime run arrive at once: how many frames may wait is counted from there.
std::vector<AdverseExecutor::Event> AdverseExecutor::possible() const {
  if (!setup_.graph.lossless) {
    for (const Event& e : events_) {
      if (e.kind == Event::Kind::kArrive) return {e};
    }
  }
  std::vector<Event> out = events_;
  for (std::size_t s = 0; s < feeds_.size(); ++s) {
    if (ends_[s].ended || !credit_[s] || (setup_.graph.lossless && feeds_[s]->would_wait())) continue;
    out.push_back({Event::Kind::kSource, static_cast<std::uint32_t>(s), 0, kNoSlot, {}});
  }
  return out;
}

std::uint64_t AdverseExecutor::number(const Event& event) const {
  return event.slot == kNoSlot ? 0 : core_.frame(event.slot).number;
}

bool AdverseExecutor::disfavoured(const Event& event) const {
  const bool at_work = event.kind == Event::Kind::kRun || event.kind == Event::Kind::kFinish;
  switch (grudge_) {
    case Grudge::kSomeFrames:
      return at_work && number(event) % 5 == seed_ % 5;
    case Grudge::kUnit:
      return event.kind != Event::Kind::kSource && event.unit == seed_ / 6 % setup_.graph.units.size();
    case Grudge::kSources:
      return event.kind == Event::Kind::kSource;
    case Grudge::kFinishing:
      return event.kind == Event::Kind::kFinish;
    default:
      return false;
  }
}

std::size_t AdverseExecutor::choose(const std::vector<Event>& events) {
  const std::uint64_t luck = dice();
  if (grudge_ == Grudge::kOldFrames && luck % 8 != 0) {
    std::size_t youngest = 0;
    for (std::size_t i = 1; i < events.size(); ++i) {
      if (events[i].kind == Event::Kind::kSource || number(events[i]) > number(events[youngest]))
        youngest = i;
    }
    return youngest;
  }
  std::vector<std::size_t> favoured;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (!disfavoured(events[i])) favoured.push_back(i);
  }
  return favoured.empty() ? luck / 8 % events.size() : favoured[luck / 8 % favoured.size()];
}

void AdverseExecutor::happen(const Event& event) {
  if (event.kind == Event::Kind::kSource) {
    const Step step = step_source(static_cast<int>(event.unit));
    credit_[event.unit] = step.kind == Step::Kind::kAgain;
    return;
  }
  const auto same = [&](const Event& e) {
    return e.kind == event.kind && e.unit == event.unit && e.producer == event.producer &&
           e.slot == event.slot;
  };
  events_.erase(std::ranges::find_if(events_, same));
  if (event.kind == Event::Kind::kArrive) {
    with_core([&](FlowCore& core, TimeNs now, Actions& actions) {
      core.arrive(event.producer, event.unit, event.slot, now, actions);
    });
  } else if (event.kind == Event::Kind::kRun) {
    const Outcome outcome = setup_.bodies->run(event.unit, event.slot, core_.frame(event.slot));
    setup_.bodies->sweep();
    events_.push_back({Event::Kind::kFinish, event.unit, 0, event.slot, outcome});
  } else {
    retries_ += event.outcome.kind == Outcome::Kind::kRetry ? 1 : 0;
    finish(event.unit, event.slot, event.outcome);
  }
}

void AdverseExecutor::carry_out(const Actions& actions) {
  for (std::size_t i = 0; i < actions.size(); ++i) {
    const Action& a = actions[i];
    if (a.kind == Action::Kind::kStart) events_.push_back({Event::Kind::kRun, a.unit, 0, a.slot, {}});
    if (a.kind == Action::Kind::kCredit) credit_[a.unit] = true;
    if (a.kind == Action::Kind::kStop) note_stop(static_cast<int>(a.unit));
    if (a.kind != Action::Kind::kDeliver) continue;
    for (const std::uint32_t c : core_.consumers(a.unit))
      events_.push_back({Event::Kind::kArrive, c, a.unit, a.slot, {}});
  }
}

std::string AdverseExecutor::stuck() const {
  static constexpr const char* kFor[] = {"a message", "an input", "its turn", "the end of its run", "a pool"};
  std::string out = std::to_string(steps_) + " steps\n";
  for (const Waiting& w : core_.waiting()) {
    out += "unit " + std::to_string(w.unit) + ", frame " + std::to_string(w.frame.source) + ":" +
           std::to_string(w.frame.number) + ": " + kFor[static_cast<std::size_t>(w.what)] + "\n";
  }
  return out;
}

}  // namespace sluice::testing
