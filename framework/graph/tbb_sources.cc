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
    } else {
      threads.emplace_back([this, source] { or_broken([this, source] { source_thread(source); }); });
    }
  }
}

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

// --- rest and work ----------------------------------------------------------------------------------------

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

}  // namespace sluice
