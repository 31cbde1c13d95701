#include "tests/backends/gpu/runner.h"

#include <dlfcn.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <unordered_map>

#include "backends/gpu/ep/plugin.h"
#include "backends/gpu/gpu_backend.h"
#include "framework/core/half.h"

namespace sluice::testing {
namespace {

std::size_t element_size(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return 4;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return 8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return 2;
    default:
      return 1;
  }
}

template <typename T>
std::vector<double> as_numbers(const std::vector<std::byte>& data) {
  std::vector<double> out(data.size() / sizeof(T));
  for (std::size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, data.data() + i * sizeof(T), sizeof(T));
    out[i] = static_cast<double>(value);
  }
  return out;
}

// What PoCL compiles is kept beside the tests, so that only the first run of a build pays for it.
const bool environment_is_set = [] {
  ::setenv("POCL_CACHE_DIR", SLUICE_TEST_POCL_CACHE, 0);
  ::setenv("SLUICE_GPU_MODULE", SLUICE_TEST_GPU_MODULE, 0);
  ::setenv("SLUICE_ARTIFACTS", "off", 0);
  return true;
}();

std::vector<Ort::ConstEpDevice> gpu_devices(ort::Runtime& runtime) {
  for (const Ort::ConstEpDevice& device : runtime.env().GetEpDevices())
    if (device.EpName() == std::string_view(gpu::kProviderName)) return {device};
  return {};
}

HostTensor copy_of(const std::string& name, const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  HostTensor out{.name = name, .type = info.GetElementType(), .dims = info.GetShape(), .data = {}};
  const auto* start = static_cast<const std::byte*>(value.GetTensorRawData());
  out.data.assign(start, start + info.GetElementCount() * element_size(out.type));
  return out;
}

}  // namespace

HostTensor HostTensor::floats(std::string name, std::vector<std::int64_t> dims,
                              const std::vector<float>& values) {
  HostTensor out{.name = std::move(name), .dims = std::move(dims)};
  out.data.resize(values.size() * sizeof(float));
  std::memcpy(out.data.data(), values.data(), out.data.size());
  return out;
}

std::size_t HostTensor::count() const { return data.size() / element_size(type); }

std::vector<double> HostTensor::numbers() const {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return as_numbers<float>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return as_numbers<double>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return as_numbers<std::int8_t>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
      return as_numbers<std::uint16_t>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return as_numbers<std::int16_t>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return as_numbers<std::int32_t>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return as_numbers<std::int64_t>(data);
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16: {
      std::vector<double> out = as_numbers<std::uint16_t>(data);
      for (double& v : out) v = from_half(static_cast<std::uint16_t>(v));
      return out;
    }
    default:
      return as_numbers<std::uint8_t>(data);
  }
}

Status gpu_available() {
  static const auto backend = make_gpu_backend();
  return environment_is_set ? backend->available() : Status();
}

gpu::PluginCounts plugin_counts() {
  gpu::PluginCounts counts;
  using Read = void (*)(gpu::PluginCounts*);
  // ONNX Runtime has loaded it: the same name is the same copy.
  void* module = ::dlopen(std::getenv("SLUICE_GPU_MODULE"), RTLD_NOW | RTLD_LOCAL);
  if (const auto read = module ? reinterpret_cast<Read>(::dlsym(module, gpu::kCounts)) : nullptr)
    read(&counts);
  return counts;
}

Result<Loaded> Loaded::load(const std::string& model, Where where, const Options& options, bool allow_cpu) {
  SLUICE_ASSIGN(const auto runtime, ort::Runtime::get());
  ort::forget_warnings();
  try {
    Ort::SessionOptions session;
    session.SetIntraOpNumThreads(1);
    session.AddConfigEntry("session.record_ep_graph_assignment_info", "1");
    if (where == Where::kGpu) {
      SLUICE_RETURN_IF_ERROR(gpu_available());
      if (!allow_cpu) session.AddConfigEntry("session.disable_cpu_ep_fallback", "1");
      std::unordered_map<std::string, std::string> all(options.begin(), options.end());
      all.try_emplace(gpu::kPrecision, "fp32");
      session.AppendExecutionProvider_V2(runtime->env(), gpu_devices(*runtime), all);
    }
    Loaded out;
    out.session_ = Ort::Session(runtime->env(), model.data(), model.size(), session);
    Ort::AllocatorWithDefaultOptions allocator;
    for (std::size_t i = 0; i < out.session_.GetOutputCount(); ++i)
      out.outputs_.emplace_back(out.session_.GetOutputNameAllocated(i, allocator).get());
    return out;
  } catch (const std::exception& error) {
    return unavailable(ort::explain(error.what()));
  }
}

Result<std::vector<HostTensor>> Loaded::run(const std::vector<HostTensor>& inputs) {
  try {
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::vector<Ort::Value> values;
    std::vector<const char*> names, output_names;
    for (const HostTensor& input : inputs) {
      names.push_back(input.name.c_str());
      values.push_back(Ort::Value::CreateTensor(memory, const_cast<std::byte*>(input.data.data()),
                                                input.data.size(), input.dims.data(), input.dims.size(),
                                                input.type));
    }
    for (const std::string& output : outputs_) output_names.push_back(output.c_str());
    const auto results = session_.Run(Ort::RunOptions{}, names.data(), values.data(), values.size(),
                                      output_names.data(), output_names.size());
    std::vector<HostTensor> out;
    for (std::size_t i = 0; i < results.size(); ++i) out.push_back(copy_of(outputs_[i], results[i]));
    return out;
  } catch (const std::exception& error) {
    return failed(error.what());
  }
}

std::string Loaded::input_name() {
  Ort::AllocatorWithDefaultOptions allocator;
  return session_.GetInputNameAllocated(0, allocator).get();
}

std::map<std::string, int> Loaded::placement() const {
  std::map<std::string, int> out;
  for (const auto& subgraph : session_.GetEpGraphAssignmentInfo())
    out[subgraph.GetEpName()] += static_cast<int>(subgraph.GetNodes().size());
  return out;
}

std::string difference(const HostTensor& a, const HostTensor& b, double relative) {
  if (a.type != b.type) return "another element type";
  if (a.dims != b.dims) return "another shape";
  const auto x = a.numbers();
  const auto y = b.numbers();
  const bool floats =
      a.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT || a.type == ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
  double largest = 0;
  for (const double v : y)
    if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
  const double allowed = floats ? relative * largest + 1e-6 : 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i]) && std::isnan(y[i])) continue;
    if (x[i] == y[i] || std::fabs(x[i] - y[i]) <= allowed) continue;
    return "element " + std::to_string(i) + " is " + std::to_string(x[i]) + ", wanted " +
           std::to_string(y[i]) + " +- " + std::to_string(allowed);
  }
  return {};
}

}  // namespace sluice::testing
