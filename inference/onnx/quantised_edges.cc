#include "inference/onnx/quantised_edges.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "inference/onnx/rewrite.h"

namespace sluice::onnx {
namespace {

bool is_operator(const Operator& op, Bytes type) {
  return op.type == type && (op.domain.empty() || op.domain == "com.microsoft");
}

bool quantised_element(std::int64_t element) {
  return element == kUint8 || element == kInt8 || element == kUint16 || element == kInt16;
}

// Who makes and who reads each tensor of the graph.
class Uses {
 public:
  explicit Uses(const ModelHeader& header) : header_(header) {
    for (std::size_t i = 0; i < header.operators.size(); ++i) {
      for (const Bytes name : header.operators[i].inputs) readers_[name].push_back(i);
      for (const Bytes name : header.operators[i].outputs) makers_[name] = i;
    }
    for (const Initializer& tensor : header.initializers) initializers_[tensor.name] = &tensor;
    for (const Initializer& tensor : header.constants) initializers_[tensor.name] = &tensor;
    for (const ValueInfo& output : header.outputs) outputs_.insert(output.name);
    for (const ValueInfo& value : header.values) elements_[value.name] = value.element;
  }
  const std::vector<std::size_t>& readers(Bytes name) const {
    static const std::vector<std::size_t> kNone;
    const auto it = readers_.find(name);
    return it == readers_.end() ? kNone : it->second;
  }
  const std::size_t* maker(Bytes name) const {
    const auto it = makers_.find(name);
    return it == makers_.end() ? nullptr : &it->second;
  }
  const Initializer* initializer(Bytes name) const {
    const auto it = initializers_.find(name);
    return it == initializers_.end() ? nullptr : it->second;
  }
  bool is_output(Bytes name) const { return outputs_.contains(name); }
  std::int32_t element(Bytes name) const {
    const auto it = elements_.find(name);
    return it == elements_.end() ? 0 : it->second;
  }
  const Operator& op(std::size_t index) const { return header_.operators[index]; }

 private:
  const ModelHeader& header_;
  std::map<Bytes, std::vector<std::size_t>> readers_;
  std::map<Bytes, std::size_t> makers_;
  std::map<Bytes, const Initializer*> initializers_;
  std::set<Bytes> outputs_;
  std::map<Bytes, std::int32_t> elements_;
};

// Element type of a Q without a zero point: its attribute, or ONNX's default.
std::int32_t element_without_zero_point(const Operator& quantize) {
  return quantize.output_dtype == 0 ? kUint8 : static_cast<std::int32_t>(quantize.output_dtype);
}

// Element type of what a DQ without a zero point reads.
std::int32_t element_of_inner(const Uses& uses, Bytes inner) {
  if (const std::int32_t element = uses.element(inner)) return element;
  const std::size_t* maker = uses.maker(inner);
  if (!maker || !is_operator(uses.op(*maker), "QuantizeLinear")) return 0;
  return element_without_zero_point(uses.op(*maker));
}

// Which dimension of the edge the scales belong to: -1 is one for all. None: they fit no dimension, as where
// each block of elements has its own.
std::optional<int> scale_axis(const Operator& op, const Initializer& scale, const ValueInfo& edge) {
  if (scale.elements == 1) return -1;
  const auto rank = static_cast<std::int64_t>(edge.dims.size());
  const std::int64_t axis = op.axis < 0 ? op.axis + rank : op.axis;
  if (scale.rank != 1 || axis < 0 || axis >= rank) return std::nullopt;
  if (edge.dims[static_cast<std::size_t>(axis)].value != scale.elements) return std::nullopt;
  return static_cast<int>(axis);
}

bool is_scale(float value) { return value > 0 && std::isfinite(value); }

// Scale, zero point and type of one Q or DQ node at a graph's edge.
std::optional<EdgeQuant> parameters(const Uses& uses, std::size_t index, const ValueInfo& edge) {
  const Operator& op = uses.op(index);
  if (op.inputs.size() < 2 || op.outputs.size() != 1) return std::nullopt;
  const Initializer* scale = uses.initializer(op.inputs[1]);
  const auto axis = scale ? scale_axis(op, *scale, edge) : std::nullopt;
  if (!axis) return std::nullopt;
  EdgeQuant quant;
  quant.params.axis = *axis;
  quant.params.scale = scales_of(*scale);
  if (quant.params.scale.empty() || !std::ranges::all_of(quant.params.scale, is_scale)) return std::nullopt;
  if (op.inputs.size() > 2 && !op.inputs[2].empty()) {
    const Initializer* zero = uses.initializer(op.inputs[2]);
    if (!zero || zero->elements != scale->elements) return std::nullopt;
    quant.element = zero->element;
    quant.params.zero_point = zero_points_of(*zero);
    if (quant.params.zero_point.empty()) return std::nullopt;
  } else {
    quant.element =
        op.type == "QuantizeLinear" ? element_without_zero_point(op) : element_of_inner(uses, op.inputs[0]);
    quant.params.zero_point.assign(quant.params.scale.size(), 0);
  }
  if (!quantised_element(quant.element)) return std::nullopt;
  quant.operators.push_back(index);
  return quant;
}

bool same(const EdgeQuant& a, const EdgeQuant& b) { return a.element == b.element && a.params == b.params; }

// An edge that is an integer in the file already: what every operator at it says. There is nothing to take
// out then.
std::optional<EdgeQuant> integer_input(const Uses& uses, const ValueInfo& input) {
  std::optional<EdgeQuant> all;
  for (const std::size_t index : uses.readers(input.name)) {
    const Operator& op = uses.op(index);
    const bool read = is_operator(op, "DequantizeLinear") && op.inputs[0] == input.name;
    auto one = read ? parameters(uses, index, input) : std::nullopt;
    if (!one || (all && !same(*all, *one))) return std::nullopt;
    all = std::move(one);
  }
  if (!all || all->element != input.element) return std::nullopt;
  all->operators.clear();
  return all;
}

std::optional<EdgeQuant> integer_output(const Uses& uses, const ValueInfo& output) {
  const std::size_t* maker = uses.maker(output.name);
  if (!maker || !is_operator(uses.op(*maker), "QuantizeLinear")) return std::nullopt;
  auto quant = parameters(uses, *maker, output);
  if (!quant || quant->element != output.element) return std::nullopt;
  quant->operators.clear();
  return quant;
}

std::optional<EdgeQuant> input_quant(const Uses& uses, const ValueInfo& input) {
  if (quantised_element(input.element)) return integer_input(uses, input);
  if (input.element != kFloat || uses.is_output(input.name)) return std::nullopt;
  std::optional<EdgeQuant> all;
  for (const std::size_t index : uses.readers(input.name)) {
    const Operator& op = uses.op(index);
    const bool feeds = is_operator(op, "QuantizeLinear") && !op.inputs.empty() && op.inputs[0] == input.name;
    auto one = feeds ? parameters(uses, index, input) : std::nullopt;
    if (!one || uses.is_output(op.outputs[0]) || (all && !same(*all, *one))) return std::nullopt;
    one->inner.push_back(op.outputs[0]);
    if (!all) {
      all = std::move(one);
    } else {
      all->operators.push_back(index);
      all->inner.push_back(op.outputs[0]);
    }
  }
  return all;
}

std::optional<EdgeQuant> output_quant(const Uses& uses, const ValueInfo& output,
                                      const std::set<Bytes>& taken) {
  if (quantised_element(output.element)) return integer_output(uses, output);
  const std::size_t* maker = uses.maker(output.name);
  if (output.element != kFloat || !maker || !uses.readers(output.name).empty()) return std::nullopt;
  const Operator& op = uses.op(*maker);
  if (!is_operator(op, "DequantizeLinear")) return std::nullopt;
  auto quant = parameters(uses, *maker, output);
  if (!quant) return std::nullopt;
  // The integer tensor takes the output's name, so it must be an inner one that nobody else renames.
  const Bytes inner = op.inputs[0];
  if (!uses.maker(inner) || uses.is_output(inner) || taken.contains(inner)) return std::nullopt;
  quant->inner.push_back(inner);
  return quant;
}

}  // namespace

bool QuantisedEdges::any() const {
  const auto has = [](const auto& edge) { return edge && !edge->operators.empty(); };
  return std::ranges::any_of(inputs, has) || std::ranges::any_of(outputs, has);
}

QuantisedEdges find_quantised_edges(const ModelHeader& header) {
  QuantisedEdges edges;
  edges.inputs.resize(header.inputs.size());
  edges.outputs.resize(header.outputs.size());
  if (header.has_subgraphs) return edges;
  const Uses uses(header);
  std::set<Bytes> taken;
  for (std::size_t i = 0; i < header.inputs.size(); ++i) {
    edges.inputs[i] = input_quant(uses, header.inputs[i]);
    if (edges.inputs[i]) taken.insert(edges.inputs[i]->inner.begin(), edges.inputs[i]->inner.end());
  }
  for (std::size_t i = 0; i < header.outputs.size(); ++i) {
    edges.outputs[i] = output_quant(uses, header.outputs[i], taken);
    if (edges.outputs[i]) taken.insert(edges.outputs[i]->inner.begin(), edges.outputs[i]->inner.end());
  }
  return edges;
}

namespace {

struct Edit {
  std::set<std::size_t> removed;          // operators
  std::map<Bytes, Bytes> renamed;         // tensors
  std::map<Bytes, std::int32_t> retyped;  // graph inputs and outputs
};

Edit plan_edit(const ModelHeader& header, const QuantisedEdges& edges) {
  Edit edit;
  const auto add = [&edit](const std::vector<ValueInfo>& values,
                           const std::vector<std::optional<EdgeQuant>>& quants) {
    for (std::size_t i = 0; i < quants.size(); ++i) {
      if (!quants[i] || quants[i]->operators.empty()) continue;
      edit.removed.insert(quants[i]->operators.begin(), quants[i]->operators.end());
      for (const Bytes inner : quants[i]->inner) edit.renamed[inner] = values[i].name;
      edit.retyped[values[i].name] = quants[i]->element;
    }
  };
  add(header.inputs, edges.inputs);
  add(header.outputs, edges.outputs);
  return edit;
}

std::string rename_tensors(Bytes node, const Edit& edit) {
  return rewrite(node, [&edit](const Field& f, Writer& writer) {
    if (f.number != field::kNodeInput && f.number != field::kNodeOutput) return false;
    const auto it = edit.renamed.find(f.bytes);
    if (it == edit.renamed.end()) return false;
    writer.bytes(f.number, it->second);
    return true;
  });
}

std::string retype(Bytes value_info, std::int32_t element) {
  return rewrite(value_info, [element](const Field& value, Writer& out) {
    if (value.number != field::kValueType) return false;
    out.bytes(value.number, rewrite(value.bytes, [element](const Field& type, Writer& tensor_out) {
                if (type.number != field::kTensorType) return false;
                tensor_out.bytes(type.number, rewrite(type.bytes, [element](const Field& f, Writer& w) {
                                   if (f.number != field::kElement) return false;
                                   w.varint(f.number, static_cast<std::uint64_t>(element));
                                   return true;
                                 }));
                return true;
              }));
    return true;
  });
}

Bytes name_of_value(Bytes value_info) {
  Reader reader(value_info);
  for (Field f; reader.next(f);)
    if (f.number == field::kValueName) return f.bytes;
  return {};
}

std::string edit_graph(Bytes graph, const Edit& edit) {
  std::size_t node = 0;
  return rewrite(graph, [&](const Field& f, Writer& writer) {
    switch (f.number) {
      case field::kNode:
        if (!edit.removed.contains(node++)) writer.bytes(f.number, rename_tensors(f.bytes, edit));
        return true;
      case field::kValueInfo:
        return edit.renamed.contains(name_of_value(f.bytes));
      case field::kInput:
      case field::kOutput: {
        const auto it = edit.retyped.find(name_of_value(f.bytes));
        if (it == edit.retyped.end()) return false;
        writer.bytes(f.number, retype(f.bytes, it->second));
        return true;
      }
      default:
        return false;
    }
  });
}

}  // namespace

std::string strip_quantised_edges(Bytes model, const ModelHeader& header, const QuantisedEdges& edges) {
  const Edit edit = plan_edit(header, edges);
  return rewrite(model, [&edit](const Field& f, Writer& writer) {
    if (f.number != field::kGraph) return false;
    writer.bytes(f.number, edit_graph(f.bytes, edit));
    return true;
  });
}

}  // namespace sluice::onnx
