#include "quantize/insert.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/operators.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

using Nodes = google::protobuf::RepeatedPtrField<pb::NodeProto>;

struct Parameters {
  std::string scale, zero_point;
};

class Inserter {
 public:
  Inserter(pb::GraphProto& graph, const QuantPlan& plan, EdgeType edges)
      : graph_(graph), plan_(plan), edges_(edges), index_(graph), names_(graph) {}

  Status run();

 private:
  struct Written {
    std::string quantised;                   // the integer tensor
    std::map<int, std::string> dequantised;  // by bits
    Parameters parameters;
  };

  Parameters parameters(const std::string& base, const Encoding& encoding);
  void add(const char* type, const std::string& input, const Parameters& with, const std::string& output,
           int axis);
  void write(const std::string& tensor, const std::string& real);
  void write_input(pb::ValueInfoProto& input);
  Status quantise_constant(const ConstantEncoding& constant);
  std::string dequantised(const std::string& tensor, int bits);
  void rewire_inputs(pb::NodeProto& node, int n);
  void write_outputs(pb::NodeProto& node, int n);
  void retype_edges();
  void drop_float_weights();

  pb::GraphProto& graph_;
  const QuantPlan& plan_;
  const EdgeType edges_;
  const GraphIndex index_;
  Names names_;
  Nodes nodes_;
  std::map<std::string, Written> written_;
  std::map<std::pair<int, int>, std::string> constants_;  // node, input -> dequantised tensor
  std::map<std::string, std::vector<std::pair<Encoding, std::string>>> stored_;  // a weight that several read
};

Parameters Inserter::parameters(const std::string& base, const Encoding& encoding) {
  Parameters out{names_.fresh(base + "_scale"), names_.fresh(base + "_zero_point")};
  std::vector<std::int64_t> dims;
  if (encoding.axis >= 0) dims = {static_cast<std::int64_t>(encoding.scale.size())};
  *graph_.add_initializer() = make_floats(out.scale, dims, encoding.scale);
  std::string zero;
  for (const std::int32_t point : encoding.zero_point) {
    for (int b = 0; b < encoding.bits / 8; ++b)
      zero += static_cast<char>(static_cast<std::uint32_t>(point) >> (8 * b) & 0xff);
  }
  *graph_.add_initializer() = make_tensor(out.zero_point, encoding.element(), dims, zero);
  return out;
}

void Inserter::add(const char* type, const std::string& input, const Parameters& with,
                   const std::string& output, int axis) {
  pb::NodeProto& node = *nodes_.Add();
  node.set_op_type(type);
  node.set_name(names_.fresh(output + "_" + type));
  node.add_input(input);
  node.add_input(with.scale);
  node.add_input(with.zero_point);
  node.add_output(output);
  if (axis >= 0) set_attribute(node, "axis", axis);
}

// `tensor`, whose real values are in `real`, becomes integers and reals again.
void Inserter::write(const std::string& tensor, const std::string& real) {
  const Encoding& encoding = plan_.activations.at(tensor);
  const bool edge = index_.is_output(tensor);
  Written& out = written_[tensor];
  out.parameters = parameters(tensor, encoding);
  out.quantised = edge && edges_ == EdgeType::kQuantised ? tensor : names_.fresh(tensor + "_q");
  add("QuantizeLinear", real, out.parameters, out.quantised, -1);
  const bool read = !index_.uses(tensor).empty();
  if (edge && edges_ == EdgeType::kFloat) {
    add("DequantizeLinear", out.quantised, out.parameters, tensor, -1);
    out.dequantised[encoding.bits] = tensor;
  } else if (read) {
    out.dequantised[encoding.bits] = names_.fresh(tensor + "_dq");
    add("DequantizeLinear", out.quantised, out.parameters, out.dequantised[encoding.bits], -1);
  }
}

void Inserter::write_input(pb::ValueInfoProto& input) {
  const std::string& tensor = input.name();
  if (!plan_.activations.contains(tensor)) return;
  if (edges_ == EdgeType::kFloat) {
    write(tensor, tensor);
    return;
  }
  const Encoding& encoding = plan_.activations.at(tensor);
  Written& out = written_[tensor];
  out.parameters = parameters(tensor, encoding);
  out.quantised = tensor;
  out.dequantised[encoding.bits] = names_.fresh(tensor + "_dq");
  add("DequantizeLinear", tensor, out.parameters, out.dequantised[encoding.bits], -1);
}

// As an operator of `bits` reads it: the tensor itself, or what a conversion makes of it.
std::string Inserter::dequantised(const std::string& tensor, int bits) {
  Written& out = written_.at(tensor);
  if (const auto found = out.dequantised.find(bits); found != out.dequantised.end()) return found->second;
  const auto other = plan_.converted.find(tensor);
  if (other == plan_.converted.end()) return out.dequantised.begin()->second;
  const std::string base = tensor + "_" + std::to_string(bits) + "bit";
  const Parameters with = parameters(base, other->second);
  const std::string quantised = names_.fresh(base + "_q"), real = names_.fresh(base + "_dq");
  add("QuantizeLinear", out.dequantised.at(plan_.activations.at(tensor).bits), with, quantised, -1);
  add("DequantizeLinear", quantised, with, real, -1);
  return out.dequantised[bits] = real;
}

// A Gemm's bias may be stored as one row; one of a LayerNormalization has the dimensions that are normalised.
std::vector<std::int64_t> dims_for(const pb::NodeProto& node, const pb::TensorProto& tensor,
                                   const Encoding& encoding) {
  if (encoding.bits == 32 && node.op_type() == "Gemm") return {elements_of(tensor)};
  return dims_of(tensor);
}

Status Inserter::quantise_constant(const ConstantEncoding& constant) {
  const std::string name = graph_.node(constant.node).input(constant.input);
  std::string& place = constants_[{constant.node, constant.input}];
  for (const auto& [encoding, real] : stored_[name]) {
    if (encoding == constant.encoding) {
      place = real;
      return {};
    }
  }
  const pb::TensorProto& tensor = *index_.initializer(name);
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(tensor));
  const std::string quantised = names_.fresh(name + "_q");
  const auto dims = dims_for(graph_.node(constant.node), tensor, constant.encoding);
  const std::string bytes = quantise_all(values, dims, constant.encoding);
  *graph_.add_initializer() = make_tensor(quantised, constant.encoding.element(), dims, bytes);
  place = names_.fresh(name + "_dq");
  add("DequantizeLinear", quantised, parameters(name, constant.encoding), place, constant.encoding.axis);
  stored_[name].emplace_back(constant.encoding, place);
  return {};
}

void Inserter::rewire_inputs(pb::NodeProto& node, int n) {
  const int bits = plan_.bits[static_cast<std::size_t>(n)];
  for (int i = 0; i < node.input_size(); ++i) {
    if (const auto constant = constants_.find({n, i}); constant != constants_.end()) {
      node.set_input(i, constant->second);
    } else if (written_.contains(node.input(i))) {
      const bool data = bits > 0 && i < rule_of(node).data_inputs;
      node.set_input(i, dequantised(node.input(i), data ? bits : plan_.activations.at(node.input(i)).bits));
    }
  }
}

void Inserter::write_outputs(pb::NodeProto& node, int) {
  std::vector<std::pair<std::string, std::string>> outputs;  // tensor, real
  for (std::string& output : *node.mutable_output()) {
    if (!plan_.activations.contains(output)) continue;
    const std::string tensor = output;
    if (index_.is_output(tensor)) output = names_.fresh(tensor + "_float");
    outputs.emplace_back(tensor, output);
  }
  *nodes_.Add() = node;
  for (const auto& [tensor, real] : outputs) write(tensor, real);
}

void Inserter::retype_edges() {
  for (auto* list : {graph_.mutable_input(), graph_.mutable_output()}) {
    for (pb::ValueInfoProto& value : *list) {
      const auto found = plan_.activations.find(value.name());
      if (found != plan_.activations.end())
        value.mutable_type()->mutable_tensor_type()->set_elem_type(found->second.element());
    }
  }
}

void Inserter::drop_float_weights() {
  const GraphIndex now(graph_);
  auto& all = *graph_.mutable_initializer();
  all.erase(
      std::remove_if(all.begin(), all.end(),
                     [&](const auto& t) { return now.uses(t.name()).empty() && !now.is_output(t.name()); }),
      all.end());
}

Status Inserter::run() {
  for (const ConstantEncoding& constant : plan_.constants)
    SLUICE_RETURN_IF_ERROR(quantise_constant(constant));
  for (pb::ValueInfoProto& input : *graph_.mutable_input()) write_input(input);
  for (int n = 0; n < graph_.node_size(); ++n) {
    pb::NodeProto node = graph_.node(n);
    rewire_inputs(node, n);
    write_outputs(node, n);
  }
  graph_.mutable_node()->Swap(&nodes_);
  if (edges_ == EdgeType::kQuantised) retype_edges();
  drop_float_weights();
  return {};
}

}  // namespace

Status insert_encodings(pb::GraphProto& graph, const QuantPlan& plan, EdgeType edges) {
  return Inserter(graph, plan, edges).run();
}

}  // namespace sluice::quantize
