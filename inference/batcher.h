// Gathers the runs of several nodes that share a session into batches (contract section 2, Batches).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "framework/core/buffer.h"
#include "framework/core/clock.h"
#include "framework/core/memory_source.h"
#include "framework/core/packet.h"
#include "framework/core/status.h"
#include "inference/lane.h"
#include "inference/session_table.h"

namespace sluice {

// The first caller of a batch leads it: waits until the batch is full, until nobody is left who could join
// it, or until `wait_ms` has passed, copies the inputs side by side, runs, and hands the outputs back. A
// batch of one runs on the caller's own tensors. Short batches are padded with their last item where the
// backend's shapes are static. Callers block, so they are lane threads, never workers.
class Batcher {
 public:
  Batcher(SharedSession& owner, Clock& clock);

  // At most so many callers will ever be in `run` at once; 0: not known, then a short batch always waits.
  // Thread-safe.
  void expect(std::size_t callers);
  // Thread-safe; the status of the whole batch.
  Status run(const std::shared_ptr<SharedSession>& session, std::span<const Tensor* const> inputs,
             std::span<Tensor* const> outputs, RunOrder order);

 private:
  struct Item {
    std::span<const Tensor* const> inputs;
    std::span<Tensor* const> outputs;
    RunOrder order;
    Status status;
    bool done = false;
    bool leads = false;             // it waited, and is now the first of its batch
    std::condition_variable woken;  // of its own: a batch wakes its members and nobody else
  };
  using Items = std::span<Item* const>;
  // One input or output of the model: room for whole batches and the type of each batch size.
  struct Port {
    std::size_t item_bytes = 0;
    BufferPool::Ptr pool;
    std::vector<std::shared_ptr<const TensorType>> types;  // by batch size, [0] unused
  };

  void note_arrivals();
  void form_next();
  static Result<Port> make_port(const TensorType& type, std::size_t most, std::size_t buffers,
                                std::shared_ptr<MemorySource> memory);
  Status lead(std::unique_lock<std::mutex>& lock, const std::shared_ptr<SharedSession>& session);
  static TimeNs longest_timeout(Items items);
  Status run_batch(const std::shared_ptr<SharedSession>& session, Items items);
  Status acquire(std::vector<Port>& ports, std::size_t count, std::span<Tensor> tensors);

  Clock& clock_;
  const std::size_t most_;
  const TimeNs wait_;
  bool pad_ = false;
  Status broken_;  // why there is no room for batches
  std::vector<Port> inputs_, outputs_;
  std::mutex mutex_;                   // guards what follows
  std::condition_variable run_ended_;  // for the one leader that waits for a free run
  std::vector<Item*> forming_;
  std::vector<Item*> waiting_;         // came when `forming_` was full; oldest first
  std::atomic<bool> complete_{false};  // nobody can join `forming_`; for the leader's sleep
  std::size_t callers_ = 0;            // see `expect`
  std::size_t running_ = 0;            // callers whose batch runs
  std::size_t in_flight_ = 0;          // batches that run
  std::size_t most_in_flight_ = 1;
};

}  // namespace sluice
