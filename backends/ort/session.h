// A Session on one of ONNX Runtime's execution providers. What differs between providers comes as
// SessionConfig.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/ort/bindings.h"
#include "backends/ort/runtime.h"
#include "inference/inference.h"

namespace sluice::ort {

struct SessionConfig {
  std::string backend;   // our name: "cpu"
  std::string provider;  // ONNX Runtime's: "CPUExecutionProvider"
  RunKind kind = RunKind::kCompute;
  std::function<void(Ort::SessionOptions&)> configure;  // may throw Ort::Exception
  std::function<void()> before_run;                     // in the thread that runs; may be empty
};

// Runs write straight into the callers' tensors: values that view them are made once per buffer and slot.
class OrtSession final : public Session {
 public:
  // Checks the model, strips its quantised edges (but `keep_float`) and loads it. kUnavailable with ONNX
  // Runtime's words.
  static Result<std::unique_ptr<Session>> open(std::shared_ptr<Runtime> runtime,
                                               const SessionRequest& request, const SessionConfig& config);

  const ModelSignature& signature() const override { return signature_; }
  std::string_view backend() const override { return backend_; }
  RunKind kind() const override { return kind_; }
  int slots() const override { return static_cast<int>(slots_.size()); }
  Placement placement() const override { return placement_; }
  Status run(int slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) override;

 private:
  OrtSession(std::shared_ptr<Runtime> runtime, ModelSignature signature, const SessionRequest& request,
             const SessionConfig& config);
  void load(const SessionRequest& request, const SessionConfig& config, std::string_view model,
            const std::string& folder);
  void read_placement(const std::string& provider);
  Result<std::size_t> batch_of(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs) const;
  Status bind(Slot& slot, std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
              std::size_t batch);

  const std::shared_ptr<Runtime> runtime_;  // first: destroyed last
  const ModelSignature signature_;
  const std::string backend_;
  const RunKind kind_;
  const std::function<void()> before_run_;
  const int most_batch_;
  std::vector<std::size_t> input_bytes_, output_bytes_;  // per item
  std::vector<const char*> input_names_, output_names_;
  Ort::MemoryInfo memory_{nullptr};
  Ort::Session session_{nullptr};
  std::vector<Slot> slots_;
  Placement placement_;
};

}  // namespace sluice::ort
