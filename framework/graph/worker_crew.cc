#include "framework/graph/worker_crew.h"

#include <utility>

namespace sluice {

WorkerCrew::WorkerCrew(std::size_t workers) : workers_(workers), places_(workers) {
  for (std::size_t i = workers; i > 0; --i) idle_.push_back(i - 1);
  resting_.reserve(workers);
}

void WorkerCrew::put(Job job) {
  std::lock_guard lock(mutex_);
  ready_.put(job);
}

std::optional<std::size_t> WorkerCrew::wake() {
  while (true) {
    Place* place = nullptr;
    {
      std::lock_guard lock(mutex_);
      if (ready_.size() <= coming_ || at_work() >= room()) return std::nullopt;
      ++coming_;
      std::vector<std::size_t>& from = resting_.empty() ? idle_ : resting_;
      const std::size_t worker = from.back();
      from.pop_back();
      if (&from == &idle_) return worker;
      place = &places_[worker];
      place->is_called = true;
    }
    place->called.notify_one();
  }
}

void WorkerCrew::arrive() {
  std::lock_guard lock(mutex_);
  --coming_;
}

std::optional<Job> WorkerCrew::take() {
  std::lock_guard lock(mutex_);
  if (ready_.empty() || at_work() > room()) return std::nullopt;
  return ready_.take();
}

bool WorkerCrew::rest(std::size_t worker, std::chrono::nanoseconds linger) {
  std::unique_lock lock(mutex_);
  if (has_work() || (linger.count() > 0 && is_called(worker, linger, lock))) return true;
  idle_.push_back(worker);
  if (idle_.size() == workers_) all_idle_.notify_all();
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

void WorkerCrew::source_rests(bool rests) {
  std::lock_guard lock(mutex_);
  rests ? --busy_sources_ : ++busy_sources_;
}

void WorkerCrew::close() {
  std::unique_lock lock(mutex_);
  closed_ = true;
  for (Place& place : places_) place.called.notify_one();
  all_idle_.wait(lock, [this] { return idle_.size() == workers_; });
}

}  // namespace sluice
