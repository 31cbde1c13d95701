// One side of a comparison: a model on a backend, fed with float samples and read as floats.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "framework/core/status.h"
#include "inference/inference.h"
#include "inference/onnx/shapes.h"
#include "quantize/samples.h"

namespace sluice::cli {

// Not thread-safe.
class ModelSide {
 public:
  // `path`: the model's file, which stays until this is gone. Edges that are quantised stay float32 where the
  // file has the pair for it, and are converted here where it has not. kUnavailable: the backend is missing,
  // takes no operator, or htp takes not every one, unless `on_fallback` (as in infer) is "allow"; what others
  // leave to the CPU is in the session's placement. `dims` fixes symbolic dimensions, by name or as
  // 'input.0'.
  static Result<std::unique_ptr<ModelSide>> open(Backend& backend, const std::string& path,
                                                 const OptionMap& options, const onnx::FixedDims& dims = {},
                                                 const std::string& on_fallback = "error");

  // Outputs of the session, in its order.
  const std::vector<std::string>& outputs() const { return output_names_; }
  // kInvalid: an input is missing or of another size; kFailed. The floats are valid until the next run.
  Result<std::vector<std::span<const float>>> run(const quantize::Sample& sample);
  // The same in parts, for those who time it: the inputs, and the session's run on them.
  Status set(const quantize::Sample& sample);
  Status run_once();
  const Session& session() const { return *session_; }

 private:
  explicit ModelSide(std::unique_ptr<Session> session);
  Status fill(std::size_t input, const quantize::Sample& sample);

  std::unique_ptr<Session> session_;
  std::vector<std::string> output_names_;
  std::vector<std::vector<std::byte>> memory_;  // of inputs, then outputs
  std::vector<Tensor> inputs_, outputs_;
  std::vector<const Tensor*> run_inputs_;
  std::vector<Tensor*> run_outputs_;
  std::vector<std::vector<float>> floats_;  // of outputs that are no float32
};

}  // namespace sluice::cli
