#include "quantize/infer_types.h"

#include <string>

#include "backends/ort/evaluator.h"
#include "quantize/graph_index.h"
#include "quantize/input_info.h"

namespace sluice::quantize {
namespace {

void set_type(pb::ValueInfoProto& value, const ort::ArrayType& type) {
  auto& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(element_of(*type.dtype));
  tensor.clear_shape();
  auto& shape = *tensor.mutable_shape();
  for (const std::int64_t dim : type.shape) {
    auto& size = *shape.add_dim();
    if (dim >= 0) size.set_dim_value(dim);
  }
}

}  // namespace

Status infer_types(pb::ModelProto& model) {
  pb::GraphProto& graph = *model.mutable_graph();
  pb::ModelProto shown = model;
  shown.mutable_graph()->clear_value_info();
  const GraphIndex index(graph);
  for (const pb::NodeProto& node : graph.node()) {
    for (const std::string& name : node.output()) {
      if (!name.empty() && !index.is_output(name)) shown.mutable_graph()->add_output()->set_name(name);
    }
  }
  const std::string bytes = shown.SerializeAsString();
  SLUICE_ASSIGN(const auto evaluator, ort::Evaluator::open(bytes, ort::Evaluator::Effort::kAsWritten));
  const auto types = evaluator->output_types();
  std::map<std::string, ort::ArrayType> by_name;
  for (std::size_t i = 0; i < types.size(); ++i) by_name[evaluator->outputs()[i]] = types[i];
  graph.clear_value_info();
  for (pb::ValueInfoProto& output : *graph.mutable_output()) {
    const auto& type = by_name[output.name()];
    if (type.dtype) set_type(output, type);
    by_name.erase(output.name());
  }
  for (const auto& [name, type] : by_name) {
    if (!type.dtype) continue;
    pb::ValueInfoProto& value = *graph.add_value_info();
    value.set_name(name);
    set_type(value, type);
  }
  return {};
}

}  // namespace sluice::quantize
