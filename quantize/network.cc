#include "quantize/network.h"

#include <algorithm>
#include <set>
#include <utility>

#include "quantize/equalize.h"
#include "quantize/float_model.h"
#include "quantize/graph_index.h"
#include "quantize/infer_types.h"
#include "quantize/input_info.h"

namespace sluice::quantize {
namespace {

bool is_type(const pb::NodeProto& node, const char* type) { return node.op_type() == type; }

// What reads `tensor` as integers; its name after DequantizeLinear, or empty.
std::string seen_through(const pb::GraphProto& graph, const GraphIndex& index, const std::string& tensor) {
  for (const Use& use : index.uses(tensor)) {
    const pb::NodeProto& quantise = graph.node(use.node);
    if (!is_type(quantise, "QuantizeLinear") || use.input != 0) continue;
    for (const Use& next : index.uses(quantise.output(0))) {
      if (is_type(graph.node(next.node), "DequantizeLinear") && next.input == 0)
        return graph.node(next.node).output(0);
    }
  }
  return {};
}

std::vector<LayerResult> layers_of(const pb::GraphProto& graph) {
  const GraphIndex index(graph);
  std::vector<LayerResult> out;
  for (const pb::NodeProto& node : graph.node()) {
    if (is_type(node, "QuantizeLinear") || is_type(node, "DequantizeLinear")) continue;
    for (const std::string& name : node.output()) {
      const std::string through = seen_through(graph, index, name);
      const std::string& tensor = through.empty() ? name : through;
      if (index.is_output(name) || index.is_output(tensor) || !index.shape(name)) continue;
      if (!through.empty() || index.is_float_activation(name))
        out.push_back({name, tensor, node.op_type(), is_equalised_name(name)});
    }
  }
  return out;
}

// Whether the integers of that input are what the network works with; else they stand for numbers, which
// DequantizeLinear or a compiled network makes of them.
bool reads_integers(const pb::GraphProto& graph, const std::string& input) {
  const GraphIndex index(graph);
  const auto& uses = index.uses(input);
  return std::any_of(uses.begin(), uses.end(), [&](const Use& use) {
    const pb::NodeProto& node = graph.node(use.node);
    return !is_type(node, "DequantizeLinear") && !is_type(node, "EPContext");
  });
}

class OnnxNetwork final : public Network {
 public:
  OnnxNetwork(pb::ModelProto model, std::vector<InputInfo> inputs)
      : model_(std::move(model)), inputs_(std::move(inputs)), layers_(layers_of(model_.graph())) {
    for (InputInfo& input : inputs_) {
      if (!is_integer(input.dtype) || reads_integers(model_.graph(), input.name)) continue;
      input.also = std::exchange(input.dtype, DType::kFloat32);
    }
    for (const auto& output : model_.graph().output()) outputs_.push_back(output.name());
  }

  const std::vector<InputInfo>& inputs() const override { return inputs_; }
  const std::vector<std::string>& outputs() const override { return outputs_; }
  std::vector<std::int64_t> output_shape(const std::string& output) const override {
    return GraphIndex(model_.graph()).shape(output).value_or(std::vector<std::int64_t>{});
  }
  const std::vector<LayerResult>& layers() const override { return layers_; }
  std::string note(const std::string& key) const override {
    for (const auto& entry : model_.metadata_props()) {
      if (entry.key() == key) return entry.value();
    }
    return {};
  }
  std::string with_outputs(std::span<const std::string> tensors) const override {
    pb::ModelProto out = model_;
    const GraphIndex index(model_.graph());
    for (const std::string& tensor : tensors) {
      pb::ValueInfoProto& value = *out.mutable_graph()->add_output();
      value.set_name(tensor);
      auto& type = *value.mutable_type()->mutable_tensor_type();
      type.set_elem_type(pb::TensorProto::FLOAT);
      // The file knows the shape of what is quantised, under the float tensor's name.
      const auto layer =
          std::find_if(layers_.begin(), layers_.end(), [&](const auto& l) { return l.tensor == tensor; });
      const auto shape = index.shape(layer == layers_.end() ? tensor : layer->name);
      if (!shape) continue;
      auto& dims = *type.mutable_shape();  // there even for a single number, which has none
      for (const std::int64_t dim : *shape) dims.add_dim()->set_dim_value(dim);
    }
    return out.SerializeAsString();
  }

 private:
  const pb::ModelProto model_;
  std::vector<InputInfo> inputs_;
  std::vector<std::string> outputs_;
  const std::vector<LayerResult> layers_;
};

bool has_free_sizes(const pb::GraphProto& graph) {
  const GraphIndex index(graph);
  const auto free = [&](const auto& value) {
    return index.is_input(value.name()) && !index.shape(value.name());
  };
  return std::any_of(graph.input().begin(), graph.input().end(), free);
}

}  // namespace

Result<std::unique_ptr<Network>> open_network(const std::string& path,
                                              const std::vector<InputShape>& shapes) {
  SLUICE_ASSIGN(pb::ModelProto model, load_model(path));
  if (!shapes.empty() || has_free_sizes(model.graph())) {
    const Status fixed = check_is_float(model).ok() ? prepare(model, shapes) : fix_sizes(model, shapes);
    if (!fixed.ok()) return fixed.with_context("'" + path + "': ");
  }
  // A model that the CPU cannot load (a compiled one) can still be compared by its outputs.
  if (const Status typed = infer_types(model); !typed.ok() && typed.code() != Code::kUnavailable)
    return typed;
  auto inputs = inputs_of(model.graph());
  if (!inputs.ok()) return inputs.status().with_context("'" + path + "': ");
  return std::unique_ptr<Network>(std::make_unique<OnnxNetwork>(std::move(model), std::move(*inputs)));
}

std::string shell_model(const std::vector<InputInfo>& inputs) {
  pb::ModelProto model;
  model.set_ir_version(7);
  model.add_opset_import()->set_version(13);
  pb::GraphProto& graph = *model.mutable_graph();
  graph.set_name("shell");
  for (const InputInfo& input : inputs) {
    pb::ValueInfoProto value;
    value.set_name(input.name);
    auto& type = *value.mutable_type()->mutable_tensor_type();
    type.set_elem_type(element_of(input.dtype));
    for (const std::int64_t dim : input.shape) type.mutable_shape()->add_dim()->set_dim_value(dim);
    *graph.add_input() = value;
    pb::NodeProto& node = *graph.add_node();
    node.set_op_type("Identity");
    node.add_input(input.name);
    node.add_output(input.name + "_same");
    value.set_name(input.name + "_same");
    *graph.add_output() = value;
  }
  return model.SerializeAsString();
}

}  // namespace sluice::quantize
