// The TBB executor's sources: a thread each, or with a manual clock a timer each.
#include "framework/graph/tbb_executor_impl.h"

namespace sluice {

void TbbExecutor::Impl::start_sources() {
  const std::size_t all = owner.setup_.feeds.size();
  for (; sources_started < all; ++sources_started) {
    const int source = static_cast<int>(sources_started);
    if (owner.setup_.feeds[sources_started]->external()) continue;
    if (manual) {
      schedule_source(source, 0);
    } else if (is_stepped(sources_started)) {
      wake_source(static_cast<std::uint32_t>(source));
    } else {
      threads.emplace_back([this, source] { or_broken([this, source] { source_thread(source); }); });
    }
  }
}

void TbbExecutor::Impl::source_thread(int source) {
  while (true) {
    Step step = owner.step_source(source);
    while (step.kind == Step::Kind::kAgain) step = owner.step_source(source);
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
  if (is_stepped(source)) {
    crew.source_ready(source);
    return wake_workers();
  }
  {
    std::lock_guard lock(owner.mutex_);
    credit[source] = 1;
  }
  credit_came[source].notify_one();
}

void TbbExecutor::wake_sources() {
  for (std::uint32_t s = 0; s < setup_.feeds.size(); ++s) {
    if (!setup_.feeds[s]->external() && !(impl_->manual && source_ended(static_cast<int>(s))))
      impl_->or_broken([this, s] { impl_->wake_source(s); });
  }
}

// --- sources that workers step ----------------------------------------------------------------------------

void TbbExecutor::source_rests(int source, bool rests) {
  if (!impl_->is_stepped(static_cast<std::size_t>(source))) return;
  impl_->crew.source_rests(rests);
  if (rests) impl_->wake_workers();
}

bool TbbExecutor::wait_source_drained(int source) {
  source_rests(source, true);
  const bool drained = Executor::wait_source_drained(source);
  source_rests(source, false);
  return drained;
}

}  // namespace sluice
