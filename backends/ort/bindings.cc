#include "backends/ort/bindings.h"

namespace sluice::ort {

ONNXTensorElementDataType element_of(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case DType::kFloat16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16;
    case DType::kUint8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    case DType::kInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case DType::kUint16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16;
    case DType::kInt16:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16;
    case DType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case DType::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case DType::kBool:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL;
    case DType::kFloat64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE;
  }
  return ONNX_TENSOR_ELEMENT_DATA_TYPE_UNDEFINED;
}

OrtValue* PortBindings::bind(const OrtMemoryInfo* memory, std::byte* data, std::size_t bytes,
                             std::size_t batch) {
  for (Bound& bound : bound_)
    if (bound.data == data && bound.bytes == bytes && bound.memory == memory) return bound.value;
  std::array<std::int64_t, Shape::kMaxRank> dims{};
  for (std::size_t i = 0; i < type_.shape.rank(); ++i) dims[i] = type_.shape[i];
  if (batch > 1) dims[0] = static_cast<std::int64_t>(batch);
  Bound fresh{memory, data, bytes,
              Ort::Value::CreateTensor(memory, data, bytes, dims.data(), type_.shape.rank(),
                                       element_of(type_.dtype))};
  if (bound_.size() < kMost) {
    bound_.push_back(std::move(fresh));
    return bound_.back().value;
  }
  Bound& old = bound_[next_++ % kMost];
  old = std::move(fresh);
  return old.value;
}

}  // namespace sluice::ort
