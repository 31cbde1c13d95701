// A recipe on a device: buffers and kernels made once, a run only enqueues them.
#pragma once

#include <array>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "backends/gpu/device/context.h"
#include "backends/gpu/plan/recipe.h"

namespace sluice::gpu {

struct ExecutableFacts {
  int kernels = 0;                          // launched per run
  std::size_t bytes_in = 0, bytes_out = 0;  // moved between host and device per run
  std::size_t arena = 0, unshared = 0;      // bytes of activations, with and without sharing
  std::size_t constants = 0;                // bytes
};

struct KernelTime {
  std::string kernel;
  double us = 0;  // on the device, sum over the profiled runs
  int launches = 0;
};

// Thread-safe: runs exclude each other.
class Executable {
 public:
  static Result<std::unique_ptr<Executable>> create(std::shared_ptr<Context> context, Recipe recipe,
                                                    bool profiling);
  // Releases the parts of the arena in the reverse order of their creation: NVIDIA's driver (580.159) crashes
  // in clReleaseMemObject when overlapping sub-buffers that kernels have used go in any other.
  ~Executable();

  // Host tensors in the recipe's order, dense, of exactly its bytes. Returns when the outputs are written; on
  // failure no command of it is under way any more (unless the device is lost). Allocates nothing.
  Status run(std::span<const void* const> inputs, std::span<void* const> outputs);

  // Measures local sizes for each launch, takes the fastest, and tells them; microseconds of all kernels in
  // `us`. Only with profiling; what the slots hold afterwards means nothing.
  Result<std::vector<std::array<std::size_t, 2>>> tune(double& us);

  const ExecutableFacts& facts() const { return facts_; }
  const Recipe& recipe() const { return recipe_; }
  // Per kernel name; empty without profiling.
  std::vector<KernelTime> profile() const;

 private:
  struct Step {
    Kernel kernel;
    std::array<std::size_t, 3> global{}, local{};
    double us = 0;
  };
  Executable(std::shared_ptr<Context> context, Recipe recipe, bool profiling)
      : context_(std::move(context)), recipe_(std::move(recipe)), profiling_(profiling) {}
  Status place_slots();
  Status bind(const Launch& launch);
  Status enqueue(std::span<const void* const> inputs, std::span<void* const> outputs);
  Status enqueue_kernels();
  Status enqueue_profiled(std::size_t index);
  void set_group(std::size_t index, std::array<std::size_t, 2> group);
  Result<double> time_of(std::size_t index);
  cl_mem memory(SlotId slot) const { return views_[static_cast<std::size_t>(slot)]; }

  const std::shared_ptr<Context> context_;  // first: released last
  Recipe recipe_;
  const bool profiling_;
  Queue queue_;
  Buffer arena_;
  std::vector<Buffer> buffers_;  // parts of the arena and constants
  std::vector<cl_mem> views_;    // by slot
  std::vector<Step> steps_;
  ExecutableFacts facts_;
  mutable std::mutex mutex_;  // of a run
};

}  // namespace sluice::gpu
