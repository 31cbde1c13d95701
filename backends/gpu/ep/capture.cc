#include "backends/gpu/ep/capture.h"

#include <unordered_map>

namespace sluice::gpu {
namespace {

std::optional<DType> dtype_of(ONNXTensorElementDataType type) {
  switch (type) {
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT:
      return DType::kFloat32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT16:
      return DType::kFloat16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8:
      return DType::kUint8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8:
      return DType::kInt8;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT16:
      return DType::kUint16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT16:
      return DType::kInt16;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32:
      return DType::kInt32;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64:
      return DType::kInt64;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_BOOL:
      return DType::kBool;
    case ONNX_TENSOR_ELEMENT_DATA_TYPE_DOUBLE:
      return DType::kFloat64;
    default:
      return std::nullopt;
  }
}

void read_constant(const Ort::ConstValueInfo& info, Value& value) {
  if (!info.IsConstantInitializer()) return;
  Ort::ConstValue constant;
  if (!info.GetInitializer(constant).IsOK() || !constant) return;
  const auto type = constant.GetTensorTypeAndShapeInfo();
  if (type.GetElementCount() == 0) return;  // an empty list of sizes is as good as none
  value.dims = type.GetShape();
  value.known = true;
  value.data = static_cast<const std::byte*>(constant.GetTensorRawData());
}

Value read_value(const Ort::ConstValueInfo& info) {
  Value value;
  value.name = info.GetName();
  const auto type = info.TypeInfo();
  if (type.GetONNXType() != ONNX_TYPE_TENSOR) return value;
  const auto tensor = type.GetTensorTypeAndShapeInfo();
  const auto dtype = dtype_of(tensor.GetElementType());
  if (!dtype) return value;
  value.dtype = *dtype;
  value.known = tensor.HasShape();
  if (value.known) value.dims = tensor.GetShape();
  for (const std::int64_t dim : value.dims) value.known = value.known && dim > 0;
  read_constant(info, value);
  return value;
}

template <typename T>
bool read_array(const Ort::ConstOpAttr& attribute, Attribute& out) {
  std::vector<T> values;
  if (!attribute.GetValueArray(values).IsOK()) return false;
  out = std::move(values);
  return true;
}

template <typename T>
bool read_one(const Ort::ConstOpAttr& attribute, Attribute& out) {
  T value{};
  if (!attribute.GetValue(value).IsOK()) return false;
  out = std::move(value);
  return true;
}

bool read_attribute(const Ort::ConstOpAttr& attribute, Attribute& out) {
  switch (attribute.GetType()) {
    case ORT_OP_ATTR_INT:
      return read_one<std::int64_t>(attribute, out);
    case ORT_OP_ATTR_FLOAT:
      return read_one<float>(attribute, out);
    case ORT_OP_ATTR_STRING:
      return read_one<std::string>(attribute, out);
    case ORT_OP_ATTR_INTS:
      return read_array<std::int64_t>(attribute, out);
    case ORT_OP_ATTR_FLOATS:
      return read_array<float>(attribute, out);
    default:
      return false;
  }
}

class Capture {
 public:
  Graph graph;

  ValueId value(const Ort::ConstValueInfo& info) {
    if (!info) return kNone;
    std::string name = info.GetName();
    if (name.empty()) return kNone;
    const auto [entry, fresh] = ids_.try_emplace(std::move(name), static_cast<ValueId>(graph.values.size()));
    if (fresh) graph.values.push_back(read_value(info));
    return entry->second;
  }

  void node(const Ort::ConstNode& source) {
    Node node;
    node.op = source.GetOperatorType();
    node.name = source.GetName();
    node.domain = source.GetDomain();
    node.since = source.GetSinceVersion();
    for (const auto& info : source.GetInputs()) node.inputs.push_back(value(info));
    for (const auto& info : source.GetOutputs()) node.outputs.push_back(value(info));
    for (const auto& attribute : source.GetAttributes()) {
      Attribute read;
      if (read_attribute(attribute, read)) node.attributes.emplace(attribute.GetName(), std::move(read));
    }
    graph.nodes.push_back(std::move(node));
  }

 private:
  std::unordered_map<std::string, ValueId> ids_;
};

}  // namespace

Graph capture(const Ort::ConstGraph& source) {
  Capture capture;
  for (const auto& node : source.GetNodes()) capture.node(node);
  return std::move(capture.graph);
}

Graph capture(const Ort::ConstGraph& source, const Ort::ConstNode& fused) {
  Capture capture;
  for (const auto& node : source.GetNodes()) capture.node(node);
  for (const auto& info : fused.GetInputs())
    if (!info.IsConstantInitializer()) capture.graph.inputs.push_back(capture.value(info));
  for (const auto& info : fused.GetOutputs()) capture.graph.outputs.push_back(capture.value(info));
  return std::move(capture.graph);
}

}  // namespace sluice::gpu
