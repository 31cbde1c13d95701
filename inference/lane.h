// Lane: the threads of one accelerator's queue (architecture rule 6). The runs of all its sessions go through
// it in the order of RunQueue, `width` at a time; one that hangs is abandoned together with its thread, and
// the lane goes on with a new one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "framework/core/clock.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/run_queue.h"

namespace sluice {

// One run on its way through a lane. Made once per slot and used again; copies of the tensors keep their
// buffers alive while a hung run may still write to them.
class LaneJob {
 public:
  LaneJob(Session& session, int slot);
  void set(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, RunOrder order);
  // Of the last run, once it is done.
  TimeNs started() const { return started_; }

 private:
  friend class Lane;
  enum class State : std::uint8_t { kIdle, kQueued, kRunning, kDone, kAbandoned };

  void execute();
  void release_tensors();

  Session& session_;
  const int slot_;
  std::vector<Tensor> inputs_, outputs_;
  std::vector<const Tensor*> input_pointers_;
  std::vector<Tensor*> output_pointers_;
  RunOrder order_;
  std::size_t runner_ = 0;  // which of the lane's threads has it; from kRunning on
  TimeNs started_ = 0;
  std::atomic<State> state_{State::kIdle};
  std::atomic<bool> announce_start_{
      false};                      // the caller waits behind other runs: its time counts from the start
  std::atomic<bool> woken_{true};  // the lane's thread has woken the caller and lets go of the clock
  Status status_;
  std::function<void()> late_;  // set when abandoned: called by the hung thread should it ever return
};

class Lane {
 public:
  // `width`: how many runs the accelerator gets at once; at least 1.
  Lane(Clock& clock, int width);
  // Joins its threads; one that hangs was given up before and is not waited for.
  ~Lane();
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;

  // `jobs` more may wait at once: nothing is allocated for them later.
  void expect(std::size_t jobs);

  // Makes what a hung thread calls should its run come back after all; it keeps alive what that run uses.
  using MakeLate = std::function<std::function<void()>()>;

  // Runs the job in one of the lane's threads and blocks the caller until it is done (its own status), or
  // `timeout` after it started: then kTimeout, `given_up` is set and the session is told to cancel.
  Status run(const std::shared_ptr<LaneJob>& job, TimeNs timeout, const MakeLate& make_late, bool& given_up);

 private:
  struct Queue;
  void start_thread(std::size_t runner);
  void wait_for(LaneJob& job, TimeNs timeout);
  static void work(const std::shared_ptr<Queue>& queue, std::size_t runner, std::uint64_t generation);
  static Status take_result(LaneJob& job);
  Status give_up(const std::shared_ptr<LaneJob>& job, TimeNs timeout, const MakeLate& make_late,
                 bool& given_up);

  Clock& clock_;
  std::shared_ptr<Queue> queue_;
  std::vector<std::thread> threads_;  // by runner; under the queue's lock
};

}  // namespace sluice
