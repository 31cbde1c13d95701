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
  std::size_t bytes_in = 0, bytes_out = 0;  // of inputs and outputs
  std::size_t arena = 0, unshared = 0;      // bytes of activations, with and without sharing
  std::size_t constants = 0;                // bytes
};

// Mean time of one run on the device.
struct NodeTime {
  std::string node;  // as in Launch
  double us = 0;
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

  // Host tensors in the recipe's order, dense, of exactly its bytes. On a device that shares the host's
  // memory those at addresses that suit it are used where they lie, the others are copied. Returns when the
  // outputs are written; on failure no command of it is under way any more (unless the device is lost).
  // Allocates nothing.
  Status run(std::span<const void* const> inputs, std::span<void* const> outputs);

  // Measures local sizes for each launch, takes the fastest, and tells them; microseconds of all kernels in
  // `us`. Only with profiling; what the slots hold afterwards means nothing.
  Result<std::vector<std::array<std::size_t, 2>>> tune(double& us);

  const ExecutableFacts& facts() const { return facts_; }
  const Recipe& recipe() const { return recipe_; }
  // Per kernel name; empty without profiling.
  std::vector<KernelTime> profile() const;
  // Per node, in the order in which they run; empty without profiling or runs.
  std::vector<NodeTime> node_times() const;

 private:
  struct Step {
    Kernel kernel;
    std::array<std::size_t, 3> global{}, local{};
    double us = 0;
  };
  // How an input or output meets the launches: through our memory, or through the caller's for one run.
  struct Tie {
    struct Use {
      std::size_t step;
      cl_uint argument;
    };
    std::vector<Use> uses;
    bool copied = true;  // it cannot be used in place, or the driver did not take it once
    Buffer imported;     // of the run that is under way
    bool bound = false;  // arguments may name a caller's memory, of this run or an earlier one
  };
  Executable(std::shared_ptr<Context> context, Recipe recipe, bool profiling)
      : context_(std::move(context)), recipe_(std::move(recipe)), profiling_(profiling) {}
  Status place_slots();
  Status bind(const Launch& launch);
  void find_ties();
  Tie tie_of(const Edge& edge, bool output) const;
  Status attach(Tie& tie, const Edge& edge, void* memory, cl_mem_flags flags);
  Status point(const Tie& tie, cl_mem memory);
  Status hand_over(const Tie& tie, const Edge& edge);
  Status enqueue(std::span<const void* const> inputs, std::span<void* const> outputs);
  Status enqueue_inputs(std::span<const void* const> inputs);
  Status enqueue_outputs(std::span<void* const> outputs);
  void release_imports();
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
  std::vector<Tie> input_ties_, output_ties_;
  ExecutableFacts facts_;
  int profiled_runs_ = 0;
  mutable std::mutex mutex_;  // of a run
};

}  // namespace sluice::gpu
