#include "quantize/fold_affine.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

// y = x * scale + shift, per channel.
struct Affine {
  std::vector<float> scale, shift;
  std::size_t channels() const { return scale.size(); }
};

// How a layer stores its output channels.
struct Layer {
  int axis = 0;             // of the weights
  std::int64_t groups = 1;  // of a ConvTranspose: its weights hold channels / groups along the axis
  std::int64_t channels = 0;
};

std::optional<Layer> layer_of(const pb::NodeProto& node, const GraphIndex& index) {
  const bool conv = node.op_type() == "Conv", transposed = node.op_type() == "ConvTranspose";
  const bool gemm = node.op_type() == "Gemm";
  if (!conv && !transposed && !gemm) return std::nullopt;
  const pb::TensorProto* const weights = node.input_size() > 1 ? index.initializer(node.input(1)) : nullptr;
  if (!weights || weights->dims_size() < 2 || weights->data_type() != pb::TensorProto::FLOAT)
    return std::nullopt;
  Layer out;
  if (transposed) out.groups = integer_attribute(node, "group", 1);
  out.axis = transposed || (gemm && integer_attribute(node, "transB", 0) == 0) ? 1 : 0;
  out.channels = weights->dims(out.axis) * out.groups;
  if (gemm) {
    for (const char* name : {"alpha", "beta"}) {
      const auto* const factor = find_attribute(node, name);
      if (factor && factor->f() != 1.0f) return std::nullopt;
    }
  }
  return out;
}

Result<Affine> of_normalisation(const pb::NodeProto& node, const GraphIndex& index) {
  std::vector<std::vector<float>> values;
  for (int i = 1; i <= 4; ++i) {
    const pb::TensorProto* const tensor = node.input_size() > i ? index.initializer(node.input(i)) : nullptr;
    if (!tensor)
      return unavailable("batch normalisation '" + node.name() + "' has statistics that are no constants");
    SLUICE_ASSIGN(std::vector<float> numbers, floats_of(*tensor));
    values.push_back(std::move(numbers));
    if (values.back().size() != values.front().size())
      return unavailable("batch normalisation '" + node.name() + "' has statistics of different lengths");
  }
  const auto* const attribute = find_attribute(node, "epsilon");
  const double epsilon = attribute ? attribute->f() : 1e-5;
  Affine out;
  for (std::size_t c = 0; c < values[0].size(); ++c) {
    const double scale = values[0][c] / std::sqrt(static_cast<double>(values[3][c]) + epsilon);
    out.scale.push_back(static_cast<float>(scale));
    out.shift.push_back(static_cast<float>(values[1][c] - values[2][c] * scale));
  }
  return out;
}

// A constant that broadcasts along the channels (dimension 1) of a tensor of `rank`: one number per channel.
std::optional<std::vector<float>> per_channel(const pb::TensorProto& tensor, std::size_t rank,
                                              std::size_t channels) {
  const auto dims = dims_of(tensor);
  const auto elements = static_cast<std::size_t>(elements_of(tensor));
  if (dims.size() > rank || (elements != 1 && elements != channels)) return std::nullopt;
  const std::size_t missing = rank - dims.size();  // leading dimensions of size 1
  if (elements > 1 && (missing > 1 || dims[1 - missing] != static_cast<std::int64_t>(channels)))
    return std::nullopt;
  const auto values = floats_of(tensor);
  if (!values.ok()) return std::nullopt;
  return elements == 1 ? std::vector<float>(channels, values->front()) : *values;
}

// What `node` does to the layer's output, when that is an affine map of its channels.
std::optional<Affine> affine_of(const pb::NodeProto& node, const std::string& tensor, std::size_t channels,
                                const GraphIndex& index) {
  if (node.op_type() == "BatchNormalization") {
    if (node.input(0) != tensor || node.output_size() != 1) return std::nullopt;
    const auto out = of_normalisation(node, index);
    return out.ok() && out->channels() == channels ? std::optional(*out) : std::nullopt;
  }
  const bool multiply = node.op_type() == "Mul";
  if ((!multiply && node.op_type() != "Add") || node.input_size() != 2) return std::nullopt;
  const auto shape = index.shape(tensor);
  const pb::TensorProto* const constant = index.initializer(node.input(node.input(0) == tensor ? 1 : 0));
  if (!shape || !constant || shape->size() < 2) return std::nullopt;
  auto values = per_channel(*constant, shape->size(), channels);
  if (!values) return std::nullopt;
  if (multiply) return Affine{*values, std::vector<float>(channels, 0.0f)};
  return Affine{std::vector<float>(channels, 1.0f), *values};
}

pb::TensorProto* mutable_initializer(pb::GraphProto& graph, const std::string& name) {
  for (pb::TensorProto& tensor : *graph.mutable_initializer()) {
    if (tensor.name() == name) return &tensor;
  }
  return nullptr;
}

// A weight of its own for this layer: others may read the old one.
pb::TensorProto& own_copy(pb::GraphProto& graph, Names& names, pb::NodeProto& node, int input,
                          const pb::TensorProto& old) {
  pb::TensorProto copy = old;
  copy.set_name(names.fresh(old.name() + "_folded"));
  node.set_input(input, copy.name());
  return *graph.add_initializer() = std::move(copy);
}

Result<std::vector<float>> bias_of(pb::GraphProto& graph, const pb::NodeProto& node, std::size_t channels) {
  if (node.input_size() < 3 || node.input(2).empty()) return std::vector<float>(channels, 0.0f);
  const pb::TensorProto* const bias = mutable_initializer(graph, node.input(2));
  if (!bias) return unavailable("bias of '" + node.name() + "' is no constant");
  SLUICE_ASSIGN(std::vector<float> values, floats_of(*bias));
  if (values.size() == 1) values.resize(channels, values[0]);
  if (values.size() != channels)
    return unavailable("bias of '" + node.name() + "' has another length than its channels");
  return values;
}

Status apply(pb::GraphProto& graph, pb::NodeProto& node, const Layer& layer, const Affine& affine) {
  Names names(graph);
  const pb::TensorProto weights = *mutable_initializer(graph, node.input(1));
  SLUICE_ASSIGN(std::vector<float> values, floats_of(weights));
  SLUICE_ASSIGN(std::vector<float> bias, bias_of(graph, node, affine.channels()));
  std::size_t inner = 1;
  for (int d = layer.axis + 1; d < weights.dims_size(); ++d)
    inner *= static_cast<std::size_t>(weights.dims(d));
  const auto along = static_cast<std::size_t>(weights.dims(layer.axis));
  const auto rows = static_cast<std::size_t>(weights.dims(0)) / static_cast<std::size_t>(layer.groups);
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::size_t channel = i / inner % along;
    if (layer.groups > 1) channel += i / (inner * along) / rows * along;
    values[i] *= affine.scale[channel];
  }
  for (std::size_t c = 0; c < bias.size(); ++c) bias[c] = bias[c] * affine.scale[c] + affine.shift[c];
  set_floats(own_copy(graph, names, node, 1, weights), values);
  const std::string name = names.fresh(node.output(0) + "_bias");
  *graph.add_initializer() =
      make_floats(name, std::vector<std::int64_t>{static_cast<std::int64_t>(bias.size())}, bias);
  while (node.input_size() < 3) node.add_input();
  node.set_input(2, name);
  return {};
}

// One fold; false when there is nothing (more) to fold.
Result<bool> fold_one(pb::GraphProto& graph) {
  const GraphIndex index(graph);
  for (int n = 0; n < graph.node_size(); ++n) {
    pb::NodeProto& node = *graph.mutable_node(n);
    const auto layer = layer_of(node, index);
    if (!layer || index.is_output(node.output(0)) || index.uses(node.output(0)).size() != 1) continue;
    const int next = index.uses(node.output(0))[0].node;
    const auto affine =
        affine_of(graph.node(next), node.output(0), static_cast<std::size_t>(layer->channels), index);
    if (!affine || !bias_of(graph, node, affine->channels()).ok()) continue;
    SLUICE_RETURN_IF_ERROR(apply(graph, node, *layer, *affine));
    node.set_output(0, graph.node(next).output(0));
    graph.mutable_node()->DeleteSubrange(next, 1);
    return true;
  }
  return false;
}

// Mul and Add in the place of a normalisation.
Status unfold(pb::GraphProto& graph, int at) {
  const GraphIndex index(graph);
  const pb::NodeProto node = graph.node(at);
  SLUICE_ASSIGN(const Affine affine, of_normalisation(node, index));
  const auto shape = index.shape(node.input(0));
  if (!shape || shape->size() < 2) return unavailable("the shape of '" + node.input(0) + "' is not known");
  std::vector<std::int64_t> dims(shape->size(), 1);
  dims[1] = static_cast<std::int64_t>(affine.channels());
  Names names(graph);
  const std::string product = names.fresh(node.output(0) + "_scaled");
  const auto write = [&](pb::NodeProto& out, const char* type, const std::string& input,
                         const std::string& output, const std::vector<float>& values) {
    const std::string constant = names.fresh(output + "_constant");
    *graph.add_initializer() = make_floats(constant, dims, values);
    out.Clear();
    out.set_op_type(type);
    out.set_name(names.fresh(node.name() + "_" + type));
    out.add_input(input);
    out.add_input(constant);
    out.add_output(output);
  };
  write(*graph.mutable_node(at), "Mul", node.input(0), product, affine.scale);
  write(*graph.add_node(), "Add", product, node.output(0), affine.shift);
  for (int i = graph.node_size() - 1; i > at + 1; --i) graph.mutable_node()->SwapElements(i, i - 1);
  pb::ValueInfoProto& value = *graph.add_value_info();
  value.set_name(product);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(pb::TensorProto::FLOAT);
  for (const std::int64_t dim : *shape) type.mutable_shape()->add_dim()->set_dim_value(dim);
  return {};
}

// A Gemm's alpha and beta go into its weights and bias.
Status fold_factors(pb::GraphProto& graph, pb::NodeProto& node) {
  Names names(graph);
  for (const auto& [factor, input] : {std::pair("alpha", 1), std::pair("beta", 2)}) {
    const auto* const attribute = find_attribute(node, factor);
    const float value = attribute ? attribute->f() : 1.0f;
    const auto* const old =
        node.input_size() > input ? mutable_initializer(graph, node.input(input)) : nullptr;
    if (value == 1.0f || !old || old->data_type() != pb::TensorProto::FLOAT) continue;
    SLUICE_ASSIGN(std::vector<float> values, floats_of(*old));
    for (float& number : values) number *= value;
    const pb::TensorProto before = *old;
    set_floats(own_copy(graph, names, node, input, before), values);
    remove_attribute(node, factor);
  }
  return {};
}

void drop_unused_weights(pb::GraphProto& graph) {
  const GraphIndex index(graph);
  auto& all = *graph.mutable_initializer();
  all.erase(std::remove_if(
                all.begin(), all.end(),
                [&](const auto& t) { return index.uses(t.name()).empty() && !index.is_output(t.name()); }),
            all.end());
}

}  // namespace

Status fold_affine(pb::GraphProto& graph) {
  for (pb::NodeProto& node : *graph.mutable_node()) {
    if (node.op_type() == "Gemm") SLUICE_RETURN_IF_ERROR(fold_factors(graph, node));
  }
  for (bool again = true; again;) {
    SLUICE_ASSIGN(again, fold_one(graph));
  }
  for (int n = 0; n < graph.node_size(); ++n) {
    if (graph.node(n).op_type() == "BatchNormalization") SLUICE_RETURN_IF_ERROR(unfold(graph, n));
  }
  drop_unused_weights(graph);
  return {};
}

}  // namespace sluice::quantize
