// The pools of a plan: one for the packets of each output, and one for its buffers.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "framework/core/buffer.h"
#include "framework/core/memory_source.h"
#include "framework/core/packet.h"
#include "framework/plan/plan.h"

namespace sluice {

struct NamedPool {
  std::string name;
  PoolStats stats;
};

struct OutputPools {
  PacketPool::Ptr packets;
  BufferPool::Ptr buffers;  // null: the output has none (detections), or frames before the probe
};

class Pools {
 public:
  // Called (any thread) when the pools of `node` have something again after they had been empty.
  using OnAvailable = std::function<void(int node)>;

  // Where the buffers of an output come from; null: the process's own memory. Asked when its pool is made.
  using MemoryOf = std::function<std::shared_ptr<MemorySource>(int node, int output)>;

  // Makes all pools whose sizes are known; kFailed when memory is short.
  static Result<std::unique_ptr<Pools>> create(const Plan& plan, OnAvailable on_available,
                                               MemoryOf memory = {});
  // Packets that an application still holds may come back later; nobody is told then.
  ~Pools() { stop_telling(); }
  // When it returns OnAvailable is not running and will not be called again. Any thread but one it runs in.
  void stop_telling();

  // Buffers of a frame output, once the picture's size is known or has changed; `extra` on top of the plan's
  // number. Buffers that are out stay valid. Not while another thread uses this output's pools.
  Status make_buffers(int node, int output, std::size_t bytes, int extra);

  OutputPools& at(int node, int output) {
    return pools_[static_cast<std::size_t>(node)][static_cast<std::size_t>(output)];
  }
  std::size_t total_bytes() const;
  // Of those of this kind.
  std::size_t total_bytes(MemoryKind kind) const;
  // Calls `f(node, output, packets out, buffers out)` for every output with a pool; any thread, at any time.
  template <typename F>
  void for_each_level(F&& f) const;
  // "node.output" of each pool, and how much of it was ever in use.
  std::vector<NamedPool> named_stats() const;

 private:
  // What the pools call; outlives them and this.
  struct Listener {
    std::recursive_mutex mutex;  // what is woken may give more back
    OnAvailable tell;            // none: stopped
  };
  Pools(const Plan& plan, OnAvailable on_available, MemoryOf memory);
  std::function<void()> telling(int node) const;
  Status make_output(int node, int output);

  const Plan& plan_;
  const MemoryOf memory_;      // may be empty
  mutable std::mutex remake_;  // while buffers are replaced nobody looks at their counts
  std::shared_ptr<Listener> listener_;
  std::vector<std::vector<OutputPools>> pools_;
};

template <typename F>
void Pools::for_each_level(F&& f) const {
  std::lock_guard lock(remake_);
  for (std::size_t n = 0; n < pools_.size(); ++n) {
    for (std::size_t o = 0; o < pools_[n].size(); ++o) {
      const OutputPools& p = pools_[n][o];
      if (!p.packets) continue;
      f(n, o, p.packets->stats().in_use, p.buffers ? p.buffers->stats().in_use : 0);
    }
  }
}

}  // namespace sluice
