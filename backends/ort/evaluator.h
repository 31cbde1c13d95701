// Runs models that exist only in memory, on ONNX Runtime's CPU provider: for statistics and comparisons,
// where every run may make its arrays anew. Pipelines use OrtSession.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "framework/core/status.h"
#include "framework/core/tensor.h"

namespace sluice::ort {

// A dense host array in row-major order; owns nothing.
struct ArrayView {
  DType dtype = DType::kFloat32;
  std::vector<std::int64_t> shape;
  const std::byte* data = nullptr;
  std::size_t bytes = 0;

  // The elements of a float32 array.
  std::span<const float> floats() const {
    return {reinterpret_cast<const float*>(data), bytes / sizeof(float)};
  }
};

// What an output will be; a size that is not fixed is -1.
struct ArrayType {
  std::optional<DType> dtype;  // none: no tensor, or of a type that Sluice does not know
  std::vector<std::int64_t> shape;
};

// A loaded model. One run at a time; any thread. Callers see nothing of ONNX Runtime's headers.
class Evaluator {
 public:
  ~Evaluator();
  Evaluator(const Evaluator&) = delete;
  Evaluator& operator=(const Evaluator&) = delete;

  enum class Effort { kAsWritten, kOptimised };  // whether ONNX Runtime may rewrite the graph

  // kUnavailable with ONNX Runtime's words.
  static Result<std::unique_ptr<Evaluator>> open(std::string_view model, Effort effort, int threads = 1);

  const std::vector<std::string>& inputs() const { return input_names_; }
  const std::vector<std::string>& outputs() const { return output_names_; }
  // As ONNX Runtime infers them, in the order of `outputs()`.
  std::vector<ArrayType> output_types() const;
  // `arrays` in the order of `inputs()`. The result, in the order of `outputs()`, is valid until the next
  // run. kFailed.
  Result<std::vector<ArrayView>> run(std::span<const ArrayView> arrays);

 private:
  struct Engine;
  Evaluator();

  std::unique_ptr<Engine> engine_;
  std::vector<std::string> input_names_, output_names_;
  std::vector<const char*> input_pointers_, output_pointers_;
};

// The same network with constants folded, identities gone and normalisations in the convolutions before them:
// ONNX Runtime's basic level, which stays within ONNX's own operators. kUnavailable: it
// refuses the model; kFailed: there is no room for temporary files.
Result<std::string> simplify(std::string_view model);

}  // namespace sluice::ort
