#include "backends/ort/evaluator.h"

#include <fstream>
#include <iterator>

#include "backends/ort/bindings.h"
#include "backends/ort/load_model.h"
#include "backends/ort/runtime.h"
#include "framework/core/temporary_folder.h"

namespace sluice::ort {
namespace {

Result<DType> dtype_of(ONNXTensorElementDataType element) {
  for (const DType dtype : {DType::kFloat32, DType::kFloat16, DType::kUint8, DType::kInt8, DType::kUint16,
                            DType::kInt16, DType::kInt32, DType::kInt64, DType::kBool, DType::kFloat64}) {
    if (element_of(dtype) == element) return dtype;
  }
  return failed("ONNX Runtime returned a tensor of element type " + std::to_string(element) +
                ", which Sluice does not know");
}

Result<ArrayView> view_of(const Ort::Value& value) {
  const auto info = value.GetTensorTypeAndShapeInfo();
  ArrayView out;
  SLUICE_ASSIGN(out.dtype, dtype_of(info.GetElementType()));
  out.shape = info.GetShape();
  out.data = static_cast<const std::byte*>(value.GetTensorRawData());
  out.bytes = info.GetElementCount() * size_of(out.dtype);
  return out;
}

}  // namespace

struct Evaluator::Engine {
  std::shared_ptr<Runtime> runtime;  // first: destroyed last
  Ort::MemoryInfo memory{nullptr};
  Ort::Session session{nullptr};
  std::vector<Ort::Value> values;  // of the last run
};

Evaluator::Evaluator() : engine_(std::make_unique<Engine>()) {}
Evaluator::~Evaluator() = default;

Result<std::unique_ptr<Evaluator>> Evaluator::open(std::string_view model, Effort effort, int threads) {
  SLUICE_ASSIGN(auto runtime, Runtime::get());
  forget_warnings();
  std::unique_ptr<Evaluator> out(new Evaluator);
  Engine& engine = *out->engine_;
  engine.runtime = std::move(runtime);
  try {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    options.AddConfigEntry("session.x64quantprecision", "1");  // as backends/cpu
    options.SetGraphOptimizationLevel(effort == Effort::kOptimised ? ORT_ENABLE_ALL : ORT_DISABLE_ALL);
    engine.memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    std::optional<std::string> note;  // equal results: nobody's concern here
    engine.session = load_model(engine.runtime->env(), model, options, note);
    out->input_names_ = engine.session.GetInputNames();
    out->output_names_ = engine.session.GetOutputNames();
  } catch (const std::exception& error) {
    return unavailable(explain(error.what()));
  }
  for (const std::string& name : out->input_names_) out->input_pointers_.push_back(name.c_str());
  for (const std::string& name : out->output_names_) out->output_pointers_.push_back(name.c_str());
  return out;
}

std::vector<ArrayType> Evaluator::output_types() const {
  std::vector<ArrayType> out;
  for (std::size_t i = 0; i < output_names_.size(); ++i) {
    ArrayType type;
    const auto info = engine_->session.GetOutputTypeInfo(i);
    if (info.GetONNXType() == ONNX_TYPE_TENSOR) {
      const auto tensor = info.GetTensorTypeAndShapeInfo();
      if (const auto dtype = dtype_of(tensor.GetElementType()); dtype.ok()) type.dtype = *dtype;
      type.shape = tensor.GetShape();
    }
    out.push_back(std::move(type));
  }
  return out;
}

Result<std::vector<ArrayView>> Evaluator::run(std::span<const ArrayView> arrays) {
  if (arrays.size() != input_names_.size())
    return invalid("a run got " + std::to_string(arrays.size()) + " arrays for " +
                   std::to_string(input_names_.size()) + " inputs");
  forget_warnings();
  std::vector<ArrayView> out;
  try {
    std::vector<Ort::Value> inputs;
    for (const ArrayView& array : arrays) {
      // The engine's signature takes mutable memory and only reads it.
      inputs.push_back(Ort::Value::CreateTensor(engine_->memory, const_cast<std::byte*>(array.data),
                                                array.bytes, array.shape.data(), array.shape.size(),
                                                element_of(array.dtype)));
    }
    engine_->values = engine_->session.Run(Ort::RunOptions{nullptr}, input_pointers_.data(), inputs.data(),
                                           inputs.size(), output_pointers_.data(), output_pointers_.size());
    for (const Ort::Value& value : engine_->values) {
      SLUICE_ASSIGN(ArrayView view, view_of(value));
      out.push_back(std::move(view));
    }
  } catch (const std::exception& error) {
    return failed(explain(error.what()));
  }
  return out;
}

Result<std::string> simplify(std::string_view model) {
  SLUICE_ASSIGN(const auto runtime, Runtime::get());
  SLUICE_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make("model"));
  const std::string file = folder.path() + "/simplified.onnx";
  forget_warnings();
  try {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetGraphOptimizationLevel(ORT_ENABLE_BASIC);
    options.SetOptimizedModelFilePath(file.c_str());
    const Ort::Session session(runtime->env(), model.data(), model.size(), options);
  } catch (const std::exception& error) {
    if (!std::ifstream(file)) return unavailable(explain(error.what()));
    // The model was understood, and what came of it was being written.
    return failed("there is no room for the simplified model in the folder for temporary files (TMPDIR): " +
                  explain(error.what()));
  }
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in.good() || bytes.empty()) return failed("'" + file + "' cannot be read back");
  return bytes;
}

}  // namespace sluice::ort
