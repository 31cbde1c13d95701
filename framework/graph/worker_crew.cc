#include "framework/graph/worker_crew.h"

#include <utility>

namespace sluice {
namespace {

// Captures of one source before the next one comes. Enough that a decoder fills its caches once for some tens
// of pictures, few enough that 16 streams (720p) all come within two seconds.
constexpr int kTurn = 32;

}  // namespace

WorkerCrew::WorkerCrew(Setup setup)
    : setup_(std::move(setup)), sources_(setup_.sources), places_(most_workers()) {
  for (std::size_t i = most_workers(); i > 0; --i) idle_.push_back(i - 1);
  resting_.reserve(most_workers());
}

void WorkerCrew::put(Job job) {
  std::lock_guard lock(mutex_);
  ready_.put(job);
}

void WorkerCrew::source_ready(std::size_t source) {
  std::lock_guard lock(mutex_);
  Source& it = sources_[source];
  if (it.state == Source::State::kStepped) it.told = true;
  if (it.state != Source::State::kWaits) return;
  it.state = Source::State::kReady;
  ready_sources_.push_back(source);
}

void WorkerCrew::stepped(std::size_t source, Stepped how) {
  std::lock_guard lock(mutex_);
  Source& it = sources_[source];
  --stepping_;
  if (how == Stepped::kEnded) {
    it.state = Source::State::kEnded;
  } else if (how == Stepped::kWaits && !it.told) {
    it.state = Source::State::kWaits;
    it.made = 0;
  } else {
    it.state = Source::State::kReady;
    if (++it.made % kTurn == 0) {
      ready_sources_.push_back(source);
    } else {
      ready_sources_.push_front(source);
    }
  }
}

void WorkerCrew::source_rests(bool rests) {
  std::lock_guard lock(mutex_);
  rests ? ++waiting_in_sources_ : --waiting_in_sources_;
}

std::optional<std::size_t> WorkerCrew::wake() {
  while (true) {
    Place* place = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (!needs_a_worker()) return std::nullopt;
      std::vector<std::size_t>& from = resting_.empty() ? idle_ : resting_;
      if (from.empty()) return std::nullopt;  // one that is about to rest will look
      ++coming_;
      const std::size_t worker = from.back();
      from.pop_back();
      place = &places_[worker];
      if (&from == &idle_) {
        place->is_sent_for = true;
        return worker;
      }
      place->is_called = true;
    }
    place->called.notify_one();
  }
}

void WorkerCrew::not_sent(std::size_t worker) {
  std::lock_guard lock(mutex_);
  lost_one_ = true;
  call_off(worker);
}

void WorkerCrew::call_off(std::size_t worker) {
  if (!std::exchange(places_[worker].is_sent_for, false)) return;  // it came all the same
  --coming_;
  go(worker);
}

bool WorkerCrew::arrive(std::size_t worker) {
  std::lock_guard lock(mutex_);
  if (!std::exchange(places_[worker].is_sent_for, false)) return false;
  --coming_;
  return true;
}

void WorkerCrew::go(std::size_t worker) {
  idle_.push_back(worker);
  if (idle_.size() == most_workers()) all_idle_.notify_all();
}

std::optional<WorkerCrew::Work> WorkerCrew::take() {
  std::lock_guard lock(mutex_);
  if (at_work() <= room() && work() > 0) {
    const bool capture = source_comes_first() || ready_.empty();
    Work next = capture ? next_source() : Work{std::nullopt, ready_.take()};
    next.more = needs_a_worker();
    return next;
  }
  ++leaving_;
  return std::nullopt;
}

WorkerCrew::Work WorkerCrew::next_source() {
  const std::size_t source = ready_sources_.front();
  ready_sources_.pop_front();
  sources_[source].state = Source::State::kStepped;
  sources_[source].told = false;
  ++stepping_;
  return {source, {}};
}

// While few frames are inside, so that no worker runs out of them. With many, a worker would have to wait in
// the source for the buffer of a frame (framework/plan/size_pools.cc has one picture wait).
bool WorkerCrew::source_comes_first() const {
  return !ready_sources_.empty() && stepping_ == 0 && setup_.inside() <= setup_.enough / 2;
}

// More than one at once only for a graph that keeps up: they would decode frames that grow cold.
bool WorkerCrew::may_step() const {
  return !ready_sources_.empty() && (none_captures() || setup_.inside() <= 2 * setup_.enough);
}

bool WorkerCrew::rest(std::size_t worker, std::chrono::nanoseconds linger) {
  std::unique_lock lock(mutex_);
  --leaving_;
  if (work() > 0 && at_work() <= room()) return true;
  if (linger.count() > 0 && is_called(worker, linger, lock)) return true;
  go(worker);
  return false;
}

bool WorkerCrew::is_called(std::size_t worker, std::chrono::nanoseconds linger,
                           std::unique_lock<std::mutex>& lock) {
  Place& place = places_[worker];
  resting_.push_back(worker);
  place.called.wait_for(lock, linger, [&] { return place.is_called || closed_; });
  if (std::exchange(place.is_called, false)) {
    --coming_;
    return true;
  }
  std::erase(resting_, worker);
  return false;
}

void WorkerCrew::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (Place& place : places_) place.called.notify_one();
  for (std::size_t w = 0; w < places_.size() && lost_one_; ++w) call_off(w);
  all_idle_.wait(lock, [this] { return idle_.size() == most_workers(); });
}

}  // namespace sluice
