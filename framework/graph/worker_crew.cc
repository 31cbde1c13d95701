#include "framework/graph/worker_crew.h"

namespace sluice {

WorkerCrew::WorkerCrew(std::size_t workers) : workers_(workers) {
  for (std::size_t i = workers; i > 0; --i) idle_.push_back(i - 1);
}

void WorkerCrew::put(Job job) {
  std::lock_guard lock(mutex_);
  ready_.put(job);
}

std::optional<std::size_t> WorkerCrew::wake() {
  std::lock_guard lock(mutex_);
  if (ready_.size() <= coming_ || at_work() >= room()) return std::nullopt;
  const std::size_t worker = idle_.back();
  idle_.pop_back();
  ++coming_;
  return worker;
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

bool WorkerCrew::leave(std::size_t worker) {
  std::lock_guard lock(mutex_);
  if (!ready_.empty() && at_work() <= room()) return false;
  idle_.push_back(worker);
  if (idle_.size() == workers_) all_idle_.notify_all();
  return true;
}

void WorkerCrew::source_rests(bool rests) {
  std::lock_guard lock(mutex_);
  rests ? --busy_sources_ : ++busy_sources_;
}

void WorkerCrew::wait_all_idle() {
  std::unique_lock lock(mutex_);
  all_idle_.wait(lock, [this] { return idle_.size() == workers_; });
}

}  // namespace sluice
