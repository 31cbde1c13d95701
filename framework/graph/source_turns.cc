#include "framework/graph/source_turns.h"

#include <ctime>

#include <algorithm>
#include <thread>
#include <utility>

namespace sluice {
namespace {

// Long enough that a decoder fills its caches once for some tens of pictures (720p), short enough that 16
// streams all come within two seconds.
constexpr TimeNs kTurn = 100'000'000;
// Between two looks at how busy the cores are.
constexpr TimeNs kWindow = 50'000'000;
// Cores. A further decoder comes while more is idle, and costs caches that it takes from the others; one goes
// when less is idle and frames pile up. With 0.5, 16 streams on two cores left a fifth of a core unused; with
// 0.15 a frame cost 7 % more CPU time than with 0.3, and none came out sooner.
constexpr double kIdle = 0.3;

}  // namespace

SourceTurns::SourceTurns(Machine machine, std::function<bool()> graph_behind, std::size_t sources)
    : machine_(std::move(machine)),
      graph_behind_(std::move(graph_behind)),
      allowed_(std::max(1, machine_.cores / 2)),
      measured_at_(machine_.now()),
      measured_cpu_(machine_.cpu_time()),
      began_(sources) {
  queue_.reserve(sources);
}

SourceTurns::Machine SourceTurns::this_process() {
  const auto read = [](clockid_t id) {
    timespec t{};
    clock_gettime(id, &t);
    return static_cast<TimeNs>(t.tv_sec) * 1'000'000'000 + t.tv_nsec;
  };
  return {static_cast<int>(std::max(1u, std::thread::hardware_concurrency())),
          [read] { return read(CLOCK_MONOTONIC); }, [read] { return read(CLOCK_PROCESS_CPUTIME_ID); }};
}

void SourceTurns::take(std::size_t source) {
  std::unique_lock lock(mutex_);
  if (ended_ || (queue_.empty() && at_work_ < allowed_)) return begin(source);
  wait_in_queue(source, lock);
}

void SourceTurns::begin(std::size_t source) {
  ++at_work_;
  began_[source] = machine_.now();
}

void SourceTurns::yield(std::size_t source) {
  std::unique_lock lock(mutex_);
  ++captures_;
  if (queue_.empty() || ended_) return;
  adapt();
  if (at_work_ <= allowed_ && machine_.now() - began_[source] < kTurn) return let_in();
  --at_work_;
  let_in();
  wait_in_queue(source, lock);
}

void SourceTurns::give_back() {
  std::lock_guard lock(mutex_);
  ++captures_;
  --at_work_;
  if (queue_.empty()) return;
  adapt();
  let_in();
}

void SourceTurns::end() {
  std::lock_guard lock(mutex_);
  ended_ = true;
  let_in();
}

int SourceTurns::allowed() const {
  std::lock_guard lock(mutex_);
  return allowed_;
}

int SourceTurns::waiting() const {
  std::lock_guard lock(mutex_);
  return static_cast<int>(queue_.size());
}

void SourceTurns::adapt() {
  const TimeNs now = machine_.now();
  const TimeNs span = now - measured_at_;
  if (span < kWindow) return;
  const TimeNs cpu = machine_.cpu_time();
  const double idle = machine_.cores - static_cast<double>(cpu - measured_cpu_) / static_cast<double>(span);
  const bool behind = graph_behind_();
  if (idle >= kIdle && !behind) allowed_ = std::min(allowed_ + 1, machine_.cores);
  if (idle < kIdle && behind) allowed_ = std::max(allowed_ - 1, 1);
  measured_at_ = now;
  measured_cpu_ = cpu;
}

// Each that is let in counts as at work from now on, although it has yet to wake.
void SourceTurns::let_in() {
  while (!queue_.empty() && (ended_ || at_work_ < allowed_)) let_first_in();
}

void SourceTurns::let_first_in() {
  Place* first = queue_.front();
  queue_.erase(queue_.begin());
  begin(first->source);
  first->is_called = true;
  first->called.notify_one();
}

void SourceTurns::wait_in_queue(std::size_t source, std::unique_lock<std::mutex>& lock) {
  Place place{source, {}, false};
  queue_.push_back(&place);
  std::uint64_t seen = captures_;
  while (!place.called.wait_for(lock, machine_.patience, [&] { return place.is_called; })) {
    if (captures_ == seen && queue_.front() == &place) let_first_in();
    seen = captures_;
  }
}

}  // namespace sluice
