// Runs a model from memory on the gpu provider or on ONNX Runtime's CPU provider, sharing nothing with our
// sessions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "backends/gpu/ep/plugin.h"
#include "backends/ort/runtime.h"
#include "framework/core/status.h"

namespace sluice::testing {

struct HostTensor {
  std::string name;
  ONNXTensorElementDataType type = ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  std::vector<std::int64_t> dims;
  std::vector<std::byte> data;

  static HostTensor floats(std::string name, std::vector<std::int64_t> dims,
                           const std::vector<float>& values);
  std::size_t count() const;
  std::vector<double> numbers() const;  // of floats, float16, bool and integers
};

// What the plugin has counted so far.
gpu::PluginCounts plugin_counts();

enum class Where { kCpu, kGpu };

// Null, or why there is no OpenCL here: tests that need it fail then, they do not skip.
Status gpu_available();

// A loaded model. Gpu: every operator must run there (CPU fallback is disabled), unless `allow_cpu`; in
// float32 unless `options` say otherwise.
class Loaded {
 public:
  using Options = std::map<std::string, std::string>;
  static Result<Loaded> load(const std::string& model, Where where, const Options& options = {},
                             bool allow_cpu = false);
  Result<std::vector<HostTensor>> run(const std::vector<HostTensor>& inputs);
  // Operators per provider.
  std::map<std::string, int> placement() const;
  std::string input_name();  // of the first input
  Ort::Session& session() { return session_; }

 private:
  Ort::Session session_{nullptr};
  std::vector<std::string> outputs_;
};

// max |a - b| <= relative * max |b| (+ a little for zeros); the text says where not. Integers and bool:
// equal.
std::string difference(const HostTensor& a, const HostTensor& b, double relative);

}  // namespace sluice::testing
