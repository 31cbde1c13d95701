#include "quantize/graph_index.h"

namespace sluice::quantize {

GraphIndex::GraphIndex(const pb::GraphProto& graph) {
  for (const pb::TensorProto& tensor : graph.initializer()) initializers_[tensor.name()] = &tensor;
  for (const auto* list : {&graph.value_info(), &graph.input(), &graph.output()}) {
    for (const pb::ValueInfoProto& value : *list) {
      if (value.type().has_tensor_type()) types_[value.name()] = &value.type().tensor_type();
    }
  }
  for (const pb::ValueInfoProto& value : graph.input()) {
    if (!initializers_.contains(value.name())) inputs_.insert(value.name());
  }
  for (const pb::ValueInfoProto& value : graph.output()) outputs_.insert(value.name());
  for (int n = 0; n < graph.node_size(); ++n) {
    for (const std::string& name : graph.node(n).output()) {
      if (!name.empty()) producers_[name] = n;
    }
    for (int i = 0; i < graph.node(n).input_size(); ++i) {
      if (!graph.node(n).input(i).empty()) uses_[graph.node(n).input(i)].push_back({n, i});
    }
  }
}

int GraphIndex::producer(const std::string& tensor) const {
  const auto found = producers_.find(tensor);
  return found == producers_.end() ? -1 : found->second;
}

const std::vector<Use>& GraphIndex::uses(const std::string& tensor) const {
  static const std::vector<Use> kNone;
  const auto found = uses_.find(tensor);
  return found == uses_.end() ? kNone : found->second;
}

const pb::TensorProto* GraphIndex::initializer(const std::string& tensor) const {
  const auto found = initializers_.find(tensor);
  return found == initializers_.end() ? nullptr : found->second;
}

bool GraphIndex::is_float_activation(const std::string& tensor) const {
  if (tensor.empty() || initializers_.contains(tensor)) return false;
  const auto found = types_.find(tensor);
  return found != types_.end() && found->second->elem_type() == pb::TensorProto::FLOAT;
}

std::optional<std::vector<std::int64_t>> GraphIndex::shape(const std::string& tensor) const {
  const auto found = types_.find(tensor);
  if (found == types_.end() || !found->second->has_shape()) return std::nullopt;
  std::vector<std::int64_t> out;
  for (const auto& dim : found->second->shape().dim()) {
    if (!dim.has_dim_value()) return std::nullopt;
    out.push_back(dim.dim_value());
  }
  return out;
}

Names::Names(const pb::GraphProto& graph) {
  for (const auto& tensor : graph.initializer()) taken_.insert(tensor.name());
  for (const auto* list : {&graph.value_info(), &graph.input(), &graph.output()}) {
    for (const auto& value : *list) taken_.insert(value.name());
  }
  for (const pb::NodeProto& node : graph.node()) {
    taken_.insert(node.name());
    taken_.insert(node.input().begin(), node.input().end());
    taken_.insert(node.output().begin(), node.output().end());
  }
}

std::string Names::fresh(const std::string& wanted) {
  std::string name = wanted;
  for (int i = 2; !taken_.insert(name).second; ++i) name = wanted + "_" + std::to_string(i);
  return name;
}

}  // namespace sluice::quantize
