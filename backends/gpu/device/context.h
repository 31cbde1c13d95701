// One device in use: its OpenCL context, its buffers, and the programs built for it.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "backends/cache/artifact_key.h"
#include "backends/gpu/device/devices.h"
#include "backends/gpu/device/handle.h"

namespace sluice::gpu {

// How a unit of kernels is compiled. Few of them: shapes are arguments.
struct Variant {
  // What is stored as float16 (arithmetic stays float32): the tensors that it reads, those that it writes,
  // weights.
  bool half_in = false, half_out = false, half_weights = false;
  int lanes = 4;  // output channels per work item: 4 everywhere, 16 for CPUs with wide registers
  auto operator<=>(const Variant&) const = default;
};

// What Qualcomm's drivers may be told about a context; other devices ignore it.
enum class Hint { kNone, kLow, kNormal, kHigh };
struct Hints {
  Hint performance = Hint::kNone;  // clocks (cl_qcom_perf_hint)
  Hint priority = Hint::kNone;     // among contexts (cl_qcom_priority_hint)
  auto operator<=>(const Hints&) const = default;
};

// Shared by the sessions of a device. Thread-safe.
class Context {
 public:
  static Result<std::shared_ptr<Context>> create(const Api& api, const DeviceInfo& device, Hints hints = {});
  // The live context of that device with those hints, or a new one; a context whose device was lost is not
  // given out again.
  static Result<std::shared_ptr<Context>> shared(const Api& api, const DeviceInfo& device, Hints hints = {});
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const Api& api() const { return api_; }
  const DeviceInfo& device() const { return device_; }
  cl_context get() const { return handle_.get(); }

  // In order. `profiling`: events of commands carry times.
  Result<Queue> queue(bool profiling) const;
  Result<Buffer> buffer(std::size_t bytes, cl_mem_flags flags, const void* data, std::string_view what) const;
  // The caller's own memory as a buffer (CL_MEM_USE_HOST_PTR); it stays the caller's and outlives the buffer.
  // Nothing is copied where can_import() says so.
  Result<Buffer> import(void* memory, std::size_t bytes, cl_mem_flags flags) const;
  bool can_import(const void* memory) const;
  // `offset` is a multiple of the device's base alignment.
  Result<Buffer> part(const Buffer& whole, std::size_t offset, std::size_t bytes) const;
  // A kernel object of its own (arguments are part of it). The first kernel of a unit loads its program from
  // the artefact cache, or builds it; a build failure carries the compiler's log.
  Result<Kernel> kernel(std::string_view unit, const std::string& name, Variant variant);

  // A kernel's argument that is memory; it is not kept alive by it.
  Status set_memory(const Kernel& kernel, cl_uint argument, cl_mem memory) const;

  bool lost() const { return lost_.load(std::memory_order_relaxed); }
  // Like check(), and remembers that the device is lost.
  Status checked(cl_int error, std::string_view what) const;

  // Keeps what was built from source in the artefact cache. After a run: some drivers finish compiling then,
  // and their binary carries it. Failures are warnings of the cache's.
  void keep_programs();
  // The programs have grown since they were loaded or kept (other local sizes): the next keep_programs keeps
  // all.
  void programs_changed();

  // Text about a recipe of that signature on this device, kept in the artefact cache.
  std::optional<std::string> tuning(const std::string& signature) const;
  void keep_tuning(const std::string& signature, const std::string& text) const;

 private:
  using Key = std::pair<std::string, Variant>;
  Context(const Api& api, DeviceInfo device, ContextHandle handle);
  Result<cl_program> program(std::string_view unit, Variant variant);
  Result<Program> build(std::string_view unit, Variant variant);
  Result<Program> load(std::string_view unit, Variant variant) const;
  std::string binary_of(cl_program program) const;
  ArtifactKey key_of(std::string_view unit, Variant variant) const;
  void add_device(ArtifactKey& key) const;
  Status build_failure(cl_program program, cl_int error, std::string_view unit) const;

  const Api& api_;
  const DeviceInfo device_;
  const ContextHandle handle_;
  std::mutex mutex_;  // of programs_
  std::map<Key, Program> programs_;
  std::set<Key> unkept_;  // built from source and not in the cache yet
  mutable std::atomic<bool> lost_{false};
};

}  // namespace sluice::gpu
