#include "quantize/widen.h"

#include <cstring>
#include <vector>

#include "framework/core/half.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

Result<std::vector<std::uint16_t>> halves_of(const pb::TensorProto& tensor) {
  std::vector<std::uint16_t> out(tensor.int32_data().begin(), tensor.int32_data().end());
  if (tensor.has_raw_data()) {
    out.resize(tensor.raw_data().size() / sizeof(std::uint16_t));
    std::memcpy(out.data(), tensor.raw_data().data(), out.size() * sizeof(std::uint16_t));
  }
  if (out.size() != static_cast<std::size_t>(elements_of(tensor)))
    return unavailable("weights '" + tensor.name() + "' have " + std::to_string(out.size()) +
                       " numbers, their dimensions say " + std::to_string(elements_of(tensor)));
  return out;
}

Result<bool> widen_tensor(pb::TensorProto& tensor) {
  if (tensor.data_type() != pb::TensorProto::FLOAT16) return false;
  SLUICE_ASSIGN(const auto halves, halves_of(tensor));
  std::vector<float> values(halves.size());
  from_half(halves.data(), halves.size(), values.data());
  tensor.clear_int32_data();
  tensor.set_data_type(pb::TensorProto::FLOAT);
  set_floats(tensor, values);
  return true;
}

bool widen_value(pb::ValueInfoProto& value) {
  auto& type = *value.mutable_type()->mutable_tensor_type();
  if (type.elem_type() != pb::TensorProto::FLOAT16) return false;
  type.set_elem_type(pb::TensorProto::FLOAT);
  return true;
}

// Element types that operators name (Cast's `to`) and tensors that they carry (Constant).
Result<bool> widen_attribute(pb::AttributeProto& attribute) {
  if (attribute.has_t()) return widen_tensor(*attribute.mutable_t());
  const bool names_type = attribute.name() == "to" || attribute.name() == "dtype";
  if (!names_type || attribute.i() != pb::TensorProto::FLOAT16) return false;
  attribute.set_i(pb::TensorProto::FLOAT);
  return true;
}

}  // namespace

Result<bool> widen(pb::ModelProto& model) {
  pb::GraphProto& graph = *model.mutable_graph();
  bool any = false;
  for (pb::TensorProto& tensor : *graph.mutable_initializer()) {
    SLUICE_ASSIGN(const bool was, widen_tensor(tensor));
    any = any || was;
  }
  for (auto* list : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()}) {
    for (pb::ValueInfoProto& value : *list) any = widen_value(value) || any;
  }
  for (pb::NodeProto& node : *graph.mutable_node()) {
    for (pb::AttributeProto& attribute : *node.mutable_attribute()) {
      SLUICE_ASSIGN(const bool was, widen_attribute(attribute));
      any = any || was;
    }
  }
  return any;
}

}  // namespace sluice::quantize
