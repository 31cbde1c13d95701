#include "tools/sluice/model_side.h"

#include <algorithm>
#include <cstring>

#include "framework/core/half.h"
#include "inference/backend_options.h"
#include "inference/checked_model.h"
#include "nodes/pixels/linear_quant.h"

namespace sluice::cli {
namespace {

// Every edge with a pair of QuantizeLinear and DequantizeLinear stays float32.
Result<std::vector<std::string>> edge_names(const std::string& path) {
  SLUICE_ASSIGN(const auto model,
                check_model({.name = path, .variant = {}, .path = path, .sha256 = {}, .dims = {}}));
  std::vector<std::string> out;
  if (model->wrapped) return out;  // its context reads and writes integers
  for (const auto* list : {&model->header.inputs, &model->header.outputs}) {
    for (const onnx::ValueInfo& value : *list) out.emplace_back(value.name);
  }
  return out;
}

template <typename T>
void widen(const std::byte* from, std::span<float> to) {
  for (std::size_t i = 0; i < to.size(); ++i) {
    T value;
    std::memcpy(&value, from + i * sizeof value, sizeof value);
    to[i] = static_cast<float>(value);
  }
}

Status quantise(std::span<const float> from, const TensorType& type, std::byte* to) {
  if (type.dtype == DType::kFloat16) {
    to_half(from.data(), from.size(), reinterpret_cast<std::uint16_t*>(to));
    return {};
  }
  if (!type.quant)
    return invalid("input '" + type.name + "' takes " + type.text() + ", the data are float32");
  return pixels::quantize_linear(reinterpret_cast<const std::byte*>(from.data()), DType::kFloat32,
                                 pixels::channel_view(type.shape, *type.quant), *type.quant, type.dtype, to)
      .status();
}

Status read_floats(const Tensor& tensor, std::span<float> to) {
  const TensorType& type = *tensor.type;
  if (type.quant) {
    return pixels::dequantize_linear(tensor.data, type.dtype, pixels::channel_view(type.shape, *type.quant),
                                     *type.quant, to.data());
  }
  switch (type.dtype) {
    case DType::kFloat16:
      from_half(reinterpret_cast<const std::uint16_t*>(tensor.data), to.size(), to.data());
      break;
    case DType::kFloat64:
      widen<double>(tensor.data, to);
      break;
    case DType::kUint8:
    case DType::kBool:
      widen<std::uint8_t>(tensor.data, to);
      break;
    case DType::kInt8:
      widen<std::int8_t>(tensor.data, to);
      break;
    case DType::kUint16:
      widen<std::uint16_t>(tensor.data, to);
      break;
    case DType::kInt16:
      widen<std::int16_t>(tensor.data, to);
      break;
    case DType::kInt32:
      widen<std::int32_t>(tensor.data, to);
      break;
    case DType::kInt64:
      widen<std::int64_t>(tensor.data, to);
      break;
    case DType::kFloat32:
      std::memcpy(to.data(), tensor.data, to.size_bytes());
      break;
  }
  return {};
}

// Without one operator it would be the CPU's result under another name.
Status takes_some(const std::string& backend, const Placement& placement) {
  if (placement.on_backend > 0 || placement.elsewhere.empty()) return {};
  std::string reasons;
  for (const std::string& reason : placement.reasons) reasons += (reasons.empty() ? "" : "; ") + reason;
  return unavailable("backend '" + backend + "' takes none of the " + std::to_string(placement.total) +
                     " operators (" + reasons + ")");
}

}  // namespace

ModelSide::ModelSide(std::unique_ptr<Session> session) : session_(std::move(session)) {
  const ModelSignature& signature = session_->signature();
  const auto add = [this](const TensorType& type, std::vector<Tensor>& to) {
    const auto bytes = byte_size(type.dtype, type.shape);
    memory_.emplace_back(bytes.ok() ? *bytes : 0);  // the signature was checked
    Tensor tensor;
    tensor.type = std::make_shared<const TensorType>(type);
    tensor.data = memory_.back().data();
    tensor.bytes = memory_.back().size();
    to.push_back(std::move(tensor));
  };
  for (const TensorType& type : signature.inputs) add(type, inputs_);
  for (const TensorType& type : signature.outputs) {
    add(type, outputs_);
    output_names_.push_back(type.name);
    floats_.emplace_back(outputs_.back().bytes / size_of(type.dtype));
  }
  for (const Tensor& input : inputs_) run_inputs_.push_back(&input);
  for (Tensor& output : outputs_) run_outputs_.push_back(&output);
}

Result<std::unique_ptr<ModelSide>> ModelSide::open(Backend& backend, const std::string& path,
                                                   const OptionMap& options, const onnx::FixedDims& dims,
                                                   const std::string& on_fallback) {
  SLUICE_RETURN_IF_ERROR(backend.available().with_context("backend '" + std::string(backend.name()) + "': "));
  SessionRequest request;
  request.model.name = path;
  request.model.path = path;
  request.model.dims = dims;
  request.backend = std::string(backend.name());
  request.options = with_defaults(request.backend, options);
  request.on_fallback = on_fallback;
  SLUICE_ASSIGN(request.keep_float, edge_names(path));
  SLUICE_ASSIGN(std::unique_ptr<Session> session, backend.open(request));
  SLUICE_RETURN_IF_ERROR(takes_some(request.backend, session->placement()));
  return std::unique_ptr<ModelSide>(new ModelSide(std::move(session)));
}

Status ModelSide::fill(std::size_t input, const quantize::Sample& sample) {
  const TensorType& type = *inputs_[input].type;
  const auto found =
      std::find_if(sample.begin(), sample.end(), [&](const auto& s) { return s.name == type.name; });
  if (found == sample.end()) return invalid("the data have no array for input '" + type.name + "'");
  if (found->bytes / size_of(found->dtype) != inputs_[input].bytes / size_of(type.dtype))
    return invalid("input '" + type.name + "' takes " + type.text() + ", the data have another size");
  if (found->dtype == type.dtype) {
    std::memcpy(inputs_[input].data, found->data, found->bytes);
    return {};
  }
  if (found->dtype != DType::kFloat32)
    return invalid("input '" + type.name + "' takes " + type.text() + ", the data are " +
                   std::string(name_of(found->dtype)));
  return quantise({reinterpret_cast<const float*>(found->data), found->bytes / sizeof(float)}, type,
                  inputs_[input].data);
}

Status ModelSide::set(const quantize::Sample& sample) {
  for (std::size_t i = 0; i < inputs_.size(); ++i) SLUICE_RETURN_IF_ERROR(fill(i, sample));
  return {};
}

Status ModelSide::run_once() { return session_->run(0, run_inputs_, run_outputs_); }

Result<std::vector<std::span<const float>>> ModelSide::run(const quantize::Sample& sample) {
  SLUICE_RETURN_IF_ERROR(set(sample));
  SLUICE_RETURN_IF_ERROR(run_once());
  std::vector<std::span<const float>> out;
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    SLUICE_RETURN_IF_ERROR(read_floats(outputs_[i], floats_[i]));
    out.emplace_back(floats_[i]);
  }
  return out;
}

}  // namespace sluice::cli
