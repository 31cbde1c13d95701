#include "inference/lane.h"

#include <algorithm>
#include <cstdio>

namespace sluice {

// Shared with hung threads, which may outlive the lane; they look at nothing else of it.
struct Lane::Queue {
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::shared_ptr<LaneJob>> waiting;
  std::uint64_t generation = 0;  // of the thread that may take jobs
  bool stopping = false;
  bool running = false;
  Clock* clock = nullptr;

  std::shared_ptr<LaneJob> take(std::uint64_t mine);
};

LaneJob::LaneJob(Session& session, int slot) : session_(session), slot_(slot) {
  inputs_.resize(session.signature().inputs.size());
  outputs_.resize(session.signature().outputs.size());
  for (const Tensor& tensor : inputs_) input_pointers_.push_back(&tensor);
  for (Tensor& tensor : outputs_) output_pointers_.push_back(&tensor);
}

void LaneJob::set(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, RunOrder order) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) inputs_[i] = *inputs[i];
  for (std::size_t i = 0; i < outputs_.size(); ++i) outputs_[i] = *outputs[i];
  order_ = order;
}

void LaneJob::execute() { status_ = session_.run(slot_, input_pointers_, output_pointers_); }

void LaneJob::release_tensors() {
  for (Tensor& tensor : inputs_) tensor = {};
  for (Tensor& tensor : outputs_) tensor = {};
}

std::shared_ptr<LaneJob> Lane::Queue::take(std::uint64_t mine) {
  std::unique_lock lock(mutex);
  if (generation == mine) running = false;
  wake.wait(lock, [&] { return stopping || generation != mine || !waiting.empty(); });
  if (stopping || generation != mine) return nullptr;
  const auto more_urgent = [](const auto& a, const auto& b) {
    if (a->order_.priority != b->order_.priority) return a->order_.priority > b->order_.priority;
    return a->order_.due < b->order_.due;
  };
  const auto best = std::min_element(waiting.begin(), waiting.end(), more_urgent);
  std::shared_ptr<LaneJob> job = std::move(*best);
  waiting.erase(best);
  running = true;
  job->started_ = clock->now();
  job->state_.store(LaneJob::State::kRunning);
  // Under the lock, which giving up takes too: a run that is given up has left the clock.
  if (job->announce_start_.load()) clock->interrupt();
  return job;
}

Lane::Lane(Clock& clock, std::size_t most_jobs) : clock_(clock), queue_(std::make_shared<Queue>()) {
  queue_->clock = &clock;
  queue_->waiting.reserve(most_jobs);
  start_thread();
}

Lane::~Lane() {
  std::thread last;
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
    last = std::move(thread_);
  }
  queue_->wake.notify_all();
  last.join();
}

void Lane::start_thread() {
  thread_ = std::thread([queue = queue_, generation = queue_->generation] { work(queue, generation); });
}

void Lane::work(const std::shared_ptr<Queue>& queue, std::uint64_t generation) {
  while (const std::shared_ptr<LaneJob> job = queue->take(generation)) {
    job->execute();
    auto running = LaneJob::State::kRunning;
    if (job->state_.compare_exchange_strong(running, LaneJob::State::kDone)) {
      queue->clock->interrupt();
      job->woken_.store(true);
      job->woken_.notify_one();
      continue;
    }
    // Given up meanwhile: this thread has a successor, and the clock may be gone.
    const auto late = std::move(job->late_);
    job->release_tensors();
    job->state_.store(LaneJob::State::kIdle, std::memory_order_release);
    late();
    return;
  }
}

// Blocks until the job is done or has run for `timeout`.
void Lane::wait_for(LaneJob& job, TimeNs timeout) {
  using State = LaneJob::State;
  constexpr TimeNs kVeryLong = TimeNs{1} << 60;
  const LaneJob* watched = &job;
  const TimeNs soonest = clock_.now() + timeout;
  const auto done = [watched] { return watched->state_.load() == State::kDone; };
  // Nobody before it: one sleep, woken once.
  if (!job.announce_start_.load() && !clock_.sleep_until(soonest, done)) return;
  job.announce_start_.store(true);
  if (job.state_.load() == State::kQueued) {
    clock_.sleep_until(kVeryLong, [watched] { return watched->state_.load() != State::kQueued; });
  }
  clock_.sleep_until(job.started_ + timeout, done);
}

Status Lane::run(const std::shared_ptr<LaneJob>& job, TimeNs timeout, const MakeLate& make_late,
                 bool& given_up) {
  using State = LaneJob::State;
  {
    std::lock_guard lock(queue_->mutex);
    job->state_.store(State::kQueued);
    job->woken_.store(false);
    job->announce_start_.store(queue_->running || !queue_->waiting.empty());
    queue_->waiting.push_back(job);
  }
  queue_->wake.notify_one();
  wait_for(*job, timeout);
  if (job->state_.load() != State::kDone) return give_up(job, timeout, make_late, given_up);
  return take_result(*job);
}

Status Lane::take_result(LaneJob& job) {
  job.woken_.wait(false);  // its thread is done with the clock, which may go when the caller returns
  job.release_tensors();
  return std::move(job.status_);
}

Status Lane::give_up(const std::shared_ptr<LaneJob>& job, TimeNs timeout, const MakeLate& make_late,
                     bool& given_up) {
  using State = LaneJob::State;
  job->late_ = make_late();
  {
    std::unique_lock lock(queue_->mutex);
    auto running = State::kRunning;
    if (!job->state_.compare_exchange_strong(running, State::kAbandoned)) {
      lock.unlock();
      job->late_ = nullptr;  // it came back at the last moment
      return take_result(*job);
    }
    ++queue_->generation;
    queue_->running = false;
    thread_.detach();
    start_thread();
  }
  given_up = true;
  job->session_.cancel(job->slot_);
  char text[96];
  std::snprintf(text, sizeof text, "the run took longer than %g ms and was given up", to_ms(timeout));
  return timed_out(text);
}

}  // namespace sluice
