// Writes a random model node by node.
#pragma once

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/backends/gpu/random_graph.h"

namespace sluice::testing {

using Dims = std::vector<std::int64_t>;

struct Tensor {
  std::string name;
  Dims dims;
  bool read = false;
};

class Maker {
 public:
  Maker(unsigned seed, RandomModel& out) : random_(seed), out_(out) {
    model_.set_ir_version(9);
    model_.add_opset_import()->set_version(20);
    graph_ = model_.mutable_graph();
    graph_->set_name("random");
  }

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  float number(float low, float high) { return std::uniform_real_distribution<float>(low, high)(random_); }
  std::mt19937& random() { return random_; }

  // A fresh input of the model: its elements are the same on both sides to the last bit.
  Tensor input(const Dims& dims) {
    std::vector<float> elements(elements_of(dims));
    for (float& value : elements) value = number(-2, 2);
    const std::string name = "in" + std::to_string(out_.inputs.size());
    out_.inputs.push_back(HostTensor::floats(name, dims, elements));
    declare(*graph_->add_input(), name, onnx::TensorProto::FLOAT, dims);
    return {name, dims, true};
  }

  std::string constant(const Dims& dims, float low, float high) {
    std::vector<float> elements(elements_of(dims));
    for (float& value : elements) value = number(low, high);
    return initializer(dims, onnx::TensorProto::FLOAT, elements.data(), elements.size() * sizeof(float));
  }
  std::string numbers(const std::vector<float>& elements) {
    return initializer({static_cast<std::int64_t>(elements.size())}, onnx::TensorProto::FLOAT,
                       elements.data(), elements.size() * sizeof(float));
  }
  std::string scalar(float value) { return initializer({}, onnx::TensorProto::FLOAT, &value, sizeof value); }
  std::string byte(std::uint8_t value) { return initializer({}, onnx::TensorProto::UINT8, &value, 1); }
  std::string bytes(const std::vector<std::uint8_t>& elements) {
    return initializer({static_cast<std::int64_t>(elements.size())}, onnx::TensorProto::UINT8,
                       elements.data(), elements.size());
  }
  std::string integers(const Dims& elements) {
    return initializer({static_cast<std::int64_t>(elements.size())}, onnx::TensorProto::INT64,
                       elements.data(), elements.size() * sizeof(std::int64_t));
  }

  onnx::NodeProto& add(const std::string& op, const std::vector<std::string>& inputs, int outputs = 1) {
    onnx::NodeProto& node = *graph_->add_node();
    node.set_op_type(op);
    node.set_name(op + std::to_string(graph_->node_size()));
    for (const std::string& name : inputs) node.add_input(name);
    for (int i = 0; i < outputs; ++i) node.add_output(node.name() + "_" + std::to_string(i));
    count(op);
    return node;
  }
  // `op` is in the model once more: a node, or a pattern of nodes with a name of its own.
  void count(const std::string& op) { ++out_.operators[op]; }
  // A node with one output, which joins the values that others may read.
  void put(const std::string& op, const std::vector<std::string>& inputs, Dims dims,
           const std::map<std::string, Dims>& ints = {}, const std::map<std::string, float>& floats = {},
           const std::map<std::string, std::string>& strings = {}) {
    onnx::NodeProto& node = add(op, inputs);
    for (const auto& [name, value] : ints) attribute(node, name, value);
    for (const auto& [name, value] : floats) {
      auto& a = *node.add_attribute();
      a.set_name(name);
      a.set_type(onnx::AttributeProto::FLOAT);
      a.set_f(value);
    }
    for (const auto& [name, value] : strings) {
      auto& a = *node.add_attribute();
      a.set_name(name);
      a.set_type(onnx::AttributeProto::STRING);
      a.set_s(value);
    }
    values.push_back({node.output(0), std::move(dims), false});
  }
  static void attribute(onnx::NodeProto& node, const std::string& name, const Dims& value) {
    static const std::vector<std::string> kLists = {"kernel_shape", "strides", "pads", "dilations", "perm"};
    auto& a = *node.add_attribute();
    a.set_name(name);
    if (std::ranges::find(kLists, name) == kLists.end()) {
      a.set_type(onnx::AttributeProto::INT);
      a.set_i(value[0]);
      return;
    }
    a.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t v : value) a.add_ints(v);
  }

  void accumulate(double terms) { out_.accumulated += terms; }

  void finish() {
    int outputs = 0;
    for (const Tensor& value : values)
      if (!value.read && outputs++ < 6)
        declare(*graph_->add_output(), value.name, onnx::TensorProto::FLOAT, value.dims);
    out_.model = model_.SerializeAsString();
  }

  std::vector<Tensor> values;  // of rank 4, [1 or 2][channels][h][w], or any other rank

 private:
  static std::size_t elements_of(const Dims& dims) {
    std::size_t out = 1;
    for (const std::int64_t dim : dims) out *= static_cast<std::size_t>(dim);
    return out;
  }
  static void declare(onnx::ValueInfoProto& info, const std::string& name, int type, const Dims& dims) {
    info.set_name(name);
    auto& tensor = *info.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(type);
    tensor.mutable_shape();
    for (const std::int64_t dim : dims) tensor.mutable_shape()->add_dim()->set_dim_value(dim);
  }
  std::string initializer(const Dims& dims, int type, const void* data, std::size_t bytes) {
    onnx::TensorProto& tensor = *graph_->add_initializer();
    tensor.set_name("c" + std::to_string(graph_->initializer_size()));
    tensor.set_data_type(type);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(data, bytes);
    return tensor.name();
  }

  std::mt19937 random_;
  RandomModel& out_;
  onnx::ModelProto model_;
  onnx::GraphProto* graph_ = nullptr;
};

}  // namespace sluice::testing
