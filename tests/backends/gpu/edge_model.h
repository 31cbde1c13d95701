// A model of one operator, for tests: what it reads and how it is set in one line of a table.
#pragma once

#include <onnx/onnx_pb.h>

#include <cstdint>
#include <map>
#include <ostream>
#include <random>
#include <string>
#include <variant>
#include <vector>

#include "tests/backends/gpu/runner.h"

namespace sluice::testing {

using EdgeDims = std::vector<std::int64_t>;
using Floats = std::vector<float>;

// What a node reads beside x.
struct Absent {};
struct Random {  // a constant of random elements
  EdgeDims dims;
  float low = -1, high = 1;
};
struct Given {  // what the run brings
  EdgeDims dims;
};
struct Axes {  // a constant list of int64
  EdgeDims values;
};
struct Factors {  // a constant list of float32
  Floats values;
};
struct Scalar {
  float value;
};
using Input = std::variant<Absent, Random, Given, Axes, Factors, Scalar>;
using Attribute = std::variant<int, float, const char*, EdgeDims, Floats>;

struct Edge {
  const char* name;
  const char* op;
  int opset;
  EdgeDims dims;  // of x
  std::vector<Input> inputs;
  std::map<std::string, Attribute> attributes;
  int outputs = 1;
  const char* refused = "";  // why it stays with the CPU; empty: it does not
  bool packed = false;       // x comes from a pool, so it is at hand packed
};
inline void PrintTo(const Edge& edge, std::ostream* out) { *out << edge.name; }

class EdgeModel {
 public:
  explicit EdgeModel(const Edge& edge) {
    model_.set_ir_version(9);
    model_.add_opset_import()->set_version(edge.opset);
    graph_ = model_.mutable_graph();
    graph_->set_name("edge");
    onnx::NodeProto node;
    node.set_op_type(edge.op);
    node.set_name("node");
    const std::string x = given("x", edge.dims);
    node.add_input(edge.packed ? pooled(x, edge.dims) : x);
    for (const Input& input : edge.inputs)
      node.add_input(std::visit([&](const auto& i) { return add(i); }, input));
    for (int i = 0; i < edge.outputs; ++i) {
      node.add_output("y" + std::to_string(i));
      auto& output = *graph_->add_output();
      output.set_name(node.output(i));
      output.mutable_type()->mutable_tensor_type()->set_elem_type(onnx::TensorProto::FLOAT);
    }
    for (const auto& [name, value] : edge.attributes) {
      onnx::AttributeProto& attribute = *node.add_attribute();
      attribute.set_name(name);
      std::visit([&](const auto& v) { set(attribute, v); }, value);
    }
    *graph_->add_node() = node;
  }
  std::string bytes() const { return model_.SerializeAsString(); }
  std::vector<HostTensor> inputs;

 private:
  Floats random(const EdgeDims& dims, float low, float high) {
    std::uniform_real_distribution<float> uniform(low, high);
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    Floats out(count);
    for (float& value : out) value = uniform(random_);
    return out;
  }
  std::string given(const std::string& name, const EdgeDims& dims) {
    inputs.push_back(HostTensor::floats(name, dims, random(dims, -2, 2)));
    auto& info = *graph_->add_input();
    info.set_name(name);
    auto& type = *info.mutable_type()->mutable_tensor_type();
    type.set_elem_type(onnx::TensorProto::FLOAT);
    type.mutable_shape();
    for (const std::int64_t dim : dims) type.mutable_shape()->add_dim()->set_dim_value(dim);
    return name;
  }
  std::string pooled(const std::string& x, const EdgeDims& dims) {
    onnx::NodeProto& pool = *graph_->add_node();
    pool.set_op_type("MaxPool");
    pool.add_input(x);
    pool.add_output("pooled");
    onnx::AttributeProto& kernel = *pool.add_attribute();
    kernel.set_name("kernel_shape");
    set(kernel, EdgeDims(dims.size() - 2, 1));
    return pool.output(0);
  }
  template <typename T>
  std::string constant(const EdgeDims& dims, int type, const std::vector<T>& values) {
    onnx::TensorProto& tensor = *graph_->add_initializer();
    tensor.set_name("c" + std::to_string(graph_->initializer_size()));
    tensor.set_data_type(type);
    for (const std::int64_t dim : dims) tensor.add_dims(dim);
    tensor.set_raw_data(values.data(), values.size() * sizeof(T));
    return tensor.name();
  }
  static EdgeDims list(std::size_t size) { return {static_cast<std::int64_t>(size)}; }
  std::string add(const Absent&) { return {}; }
  std::string add(const Random& r) {
    return constant(r.dims, onnx::TensorProto::FLOAT, random(r.dims, r.low, r.high));
  }
  std::string add(const Given& g) { return given("x" + std::to_string(inputs.size()), g.dims); }
  std::string add(const Axes& a) {
    return constant(list(a.values.size()), onnx::TensorProto::INT64, a.values);
  }
  std::string add(const Factors& f) {
    return constant(list(f.values.size()), onnx::TensorProto::FLOAT, f.values);
  }
  std::string add(const Scalar& s) { return constant({}, onnx::TensorProto::FLOAT, Floats{s.value}); }

  static void set(onnx::AttributeProto& a, int value) {
    a.set_type(onnx::AttributeProto::INT);
    a.set_i(value);
  }
  static void set(onnx::AttributeProto& a, float value) {
    a.set_type(onnx::AttributeProto::FLOAT);
    a.set_f(value);
  }
  static void set(onnx::AttributeProto& a, const char* value) {
    a.set_type(onnx::AttributeProto::STRING);
    a.set_s(value);
  }
  static void set(onnx::AttributeProto& a, const EdgeDims& values) {
    a.set_type(onnx::AttributeProto::INTS);
    for (const std::int64_t value : values) a.add_ints(value);
  }
  static void set(onnx::AttributeProto& a, const Floats& values) {
    a.set_type(onnx::AttributeProto::FLOATS);
    for (const float value : values) a.add_floats(value);
  }

  std::mt19937 random_{7};
  onnx::ModelProto model_;
  onnx::GraphProto* graph_ = nullptr;
};

}  // namespace sluice::testing
