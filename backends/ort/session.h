// A Session on one of ONNX Runtime's execution providers. What differs between providers comes as
// SessionConfig.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/ort/bindings.h"
#include "backends/ort/runtime.h"
#include "backends/ort/shared_memory.h"
#include "inference/inference.h"

namespace sluice::ort {

struct SessionConfig {
  std::string backend;   // our name: "cpu"
  std::string provider;  // ONNX Runtime's: "CPUExecutionProvider"
  RunKind kind = RunKind::kCompute;
  bool static_batch = false;  // runs always take the whole batch
  // Gives what to load in place of the model's bytes (without its quantised edges): something compiled from
  // them. Called before `configure`; empty, or answers nothing: they are loaded.
  std::function<std::optional<std::string>(std::string_view model)> substitute;
  std::function<void(Ort::SessionOptions&)> configure;  // may throw Ort::Exception
  std::function<void()> before_run;                     // in the thread that runs; may be empty
  // ONNX Runtime learns in a run how tensors of these shapes share one block of memory, and takes that block
  // from then on. With this the memory of each slot's first run, which is of no more use, goes back to the
  // system. For sessions that keep an arena on the CPU.
  bool shrink_after_first_run = false;
};

// Runs write straight into the callers' tensors: values that view them are made once per buffer and slot.
class OrtSession final : public Session {
 public:
  // Checks the model, strips its quantised edges (but `keep_float`) and loads it. kUnavailable with ONNX
  // Runtime's words.
  static Result<std::unique_ptr<OrtSession>> create(std::shared_ptr<Runtime> runtime,
                                                    const SessionRequest& request,
                                                    const SessionConfig& config);
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Runtime> runtime,
                                               const SessionRequest& request, const SessionConfig& config);

  const ModelSignature& signature() const override { return signature_; }
  std::string_view backend() const override { return backend_; }
  RunKind kind() const override { return kind_; }
  int slots() const override { return static_cast<int>(slots_.size()); }
  bool static_batch() const override { return static_batch_; }
  Placement placement() const override { return placement_; }
  // kFailed; its message begins with kDeviceReset when the device went away under the run.
  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override;
  // Tensors in it are read and written where they lie. Before the first run; the session was opened for it.
  void share(std::shared_ptr<const SharedMemory> memory) { shared_ = std::move(memory); }
  // One of the provider's settings that may change between runs. Thread-safe. kFailed.
  Status set_dynamic_option(const char* key, const char* value);

  static constexpr std::string_view kDeviceReset = "ORT_DEVICE_RESET: ";

 private:
  OrtSession(std::shared_ptr<Runtime> runtime, ModelSignature signature, const SessionRequest& request,
             const SessionConfig& config);
  void load(const SessionRequest& request, const SessionConfig& config, std::string_view model,
            const std::string& folder);
  void read_placement(const std::string& provider);
  Result<std::size_t> batch_of(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) const;
  const OrtMemoryInfo* memory_of(const Tensor& tensor) const;
  Status bind(Slot& slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
              std::size_t batch);

  const std::shared_ptr<Runtime> runtime_;  // first: destroyed last
  const ModelSignature signature_;
  const std::string backend_;
  const RunKind kind_;
  const std::function<void()> before_run_;
  const int most_batch_;
  const bool static_batch_;
  std::vector<std::size_t> input_bytes_, output_bytes_;  // per item
  std::vector<const char*> input_names_, output_names_;
  // Inputs that are outputs too: ONNX Runtime leaves a buffer that it was given for such an output as it was.
  std::vector<std::pair<std::size_t, std::size_t>> handed_on_;
  Ort::MemoryInfo memory_{nullptr};
  std::shared_ptr<const SharedMemory> shared_;  // null: every tensor is the processor's own
  Ort::Session session_{nullptr};
  Ort::RunOptions first_run_{nullptr};  // null: as any other
  std::vector<Slot> slots_;
  Placement placement_;
};

}  // namespace sluice::ort
