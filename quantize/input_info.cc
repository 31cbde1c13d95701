#include "quantize/input_info.h"

#include <map>

#include "quantize/graph_index.h"

namespace sluice::quantize {
namespace {

Result<DType> dtype_of(const std::string& input, std::int32_t element) {
  static const std::map<std::int32_t, DType> kTypes = {
      {pb::TensorProto::FLOAT, DType::kFloat32},  {pb::TensorProto::FLOAT16, DType::kFloat32},
      {pb::TensorProto::DOUBLE, DType::kFloat64}, {pb::TensorProto::UINT8, DType::kUint8},
      {pb::TensorProto::INT8, DType::kInt8},      {pb::TensorProto::UINT16, DType::kUint16},
      {pb::TensorProto::INT16, DType::kInt16},    {pb::TensorProto::INT32, DType::kInt32},
      {pb::TensorProto::INT64, DType::kInt64},    {pb::TensorProto::BOOL, DType::kBool}};
  const auto found = kTypes.find(element);
  if (found == kTypes.end())
    return unavailable("input '" + input + "' has element type " + std::to_string(element) +
                       ", which no array has");
  return found->second;
}

}  // namespace

std::int32_t element_of(DType dtype) {
  static const std::map<DType, std::int32_t> kElements = {
      {DType::kFloat32, pb::TensorProto::FLOAT}, {DType::kFloat16, pb::TensorProto::FLOAT16},
      {DType::kUint8, pb::TensorProto::UINT8},   {DType::kInt8, pb::TensorProto::INT8},
      {DType::kUint16, pb::TensorProto::UINT16}, {DType::kInt16, pb::TensorProto::INT16},
      {DType::kInt32, pb::TensorProto::INT32},   {DType::kInt64, pb::TensorProto::INT64},
      {DType::kBool, pb::TensorProto::BOOL},     {DType::kFloat64, pb::TensorProto::DOUBLE}};
  return kElements.at(dtype);
}

Result<std::vector<InputInfo>> inputs_of(const pb::GraphProto& graph) {
  const GraphIndex index(graph);
  std::vector<InputInfo> out;
  for (const pb::ValueInfoProto& input : graph.input()) {
    if (!index.is_input(input.name())) continue;
    const auto shape = index.shape(input.name());
    if (!shape) return unavailable("the shape of input '" + input.name() + "' is not fixed");
    SLUICE_ASSIGN(const DType dtype, dtype_of(input.name(), input.type().tensor_type().elem_type()));
    out.push_back({input.name(), dtype, *shape});
  }
  return out;
}

}  // namespace sluice::quantize
