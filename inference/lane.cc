#include "inference/lane.h"

#include <algorithm>

#include <fmt/format.h>

#include "inference/lost_threads.h"

namespace sluice {
namespace {

std::atomic<int> all_lost_threads{0};

}  // namespace

int lost_threads() { return all_lost_threads.load(); }
void count_lost_thread(int change) { all_lost_threads.fetch_add(change); }

// Shared with hung threads, which may outlive the lane; they look at nothing else of it.
struct Lane::Queue {
  std::mutex mutex;
  std::condition_variable wake;
  RunQueue<std::shared_ptr<LaneJob>> waiting;
  std::size_t expected = 0;                // jobs that may wait at once
  std::vector<std::uint64_t> generations;  // by runner: of the thread that may take jobs
  std::size_t running = 0;
  bool stopping = false;
  Clock* clock = nullptr;

  std::shared_ptr<LaneJob> take(std::size_t runner, std::uint64_t mine);
  bool done(LaneJob& job);
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

std::shared_ptr<LaneJob> Lane::Queue::take(std::size_t runner, std::uint64_t mine) {
  std::unique_lock lock(mutex);
  wake.wait(lock, [&] { return stopping || generations[runner] != mine || !waiting.empty(); });
  if (stopping || generations[runner] != mine) return nullptr;
  std::shared_ptr<LaneJob> job = waiting.take();
  ++running;
  job->runner_ = runner;
  job->started_ = clock->now();
  job->state_.store(LaneJob::State::kRunning);
  // Under the lock, which giving up takes too: a run that is given up has left the clock.
  if (job->announce_start_.load()) clock->interrupt();
  return job;
}

// False: the run was given up meanwhile, and its thread has a successor.
bool Lane::Queue::done(LaneJob& job) {
  std::lock_guard lock(mutex);
  auto mine = LaneJob::State::kRunning;
  if (!job.state_.compare_exchange_strong(mine, LaneJob::State::kDone)) return false;
  --running;
  return true;
}

Lane::Lane(Clock& clock, int width) : clock_(clock), queue_(std::make_shared<Queue>()) {
  queue_->clock = &clock;
  queue_->generations.resize(static_cast<std::size_t>(std::max(1, width)));
  threads_.resize(queue_->generations.size());
  for (std::size_t runner = 0; runner < threads_.size(); ++runner) start_thread(runner);
}

Lane::~Lane() {
  std::vector<std::thread> last;
  {
    std::lock_guard lock(queue_->mutex);
    queue_->stopping = true;
    last = std::move(threads_);
  }
  queue_->wake.notify_all();
  for (std::thread& thread : last) thread.join();
}

void Lane::expect(std::size_t jobs) {
  std::lock_guard lock(queue_->mutex);
  queue_->expected += jobs;
  queue_->waiting.reserve(queue_->expected);
}

void Lane::start_thread(std::size_t runner) {
  threads_[runner] = std::thread([queue = queue_, runner, generation = queue_->generations[runner]] {
    work(queue, runner, generation);
  });
}

void Lane::work(const std::shared_ptr<Queue>& queue, std::size_t runner, std::uint64_t generation) {
  while (const std::shared_ptr<LaneJob> job = queue->take(runner, generation)) {
    job->execute();
    if (queue->done(*job)) {
      queue->clock->interrupt();
      job->woken_.store(true);
      job->woken_.notify_one();
      continue;
    }
    // The clock may be gone.
    auto late = std::move(job->late_);
    job->release_tensors();
    job->state_.store(LaneJob::State::kIdle, std::memory_order_release);
    late();
    late = nullptr;  // may end the session
    count_lost_thread(-1);
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
    job->announce_start_.store(queue_->running + queue_->waiting.size() >= queue_->generations.size());
    queue_->waiting.add(job, job->order_);
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
    const std::size_t runner = job->runner_;
    ++queue_->generations[runner];
    --queue_->running;
    threads_[runner].detach();
    count_lost_thread(1);
    start_thread(runner);
  }
  given_up = true;
  job->session_.cancel(job->slot_);
  return timed_out(fmt::format("the run took longer than {:g} ms and was given up", to_ms(timeout)));
}

}  // namespace sluice
