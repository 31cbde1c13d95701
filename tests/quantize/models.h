// Small float networks for tests, and runs of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "backends/ort/evaluator.h"
#include "quantize/onnx_proto.h"
#include "quantize/samples.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize::testing {

using Dims = std::vector<std::int64_t>;

inline void set_type(pb::ValueInfoProto& value, const std::string& name, const Dims& dims,
                     std::int32_t element = pb::TensorProto::FLOAT) {
  value.set_name(name);
  auto& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(element);
  for (const std::int64_t dim : dims) type.mutable_shape()->add_dim()->set_dim_value(dim);
}

// Add to it in running order.
class NetworkBuilder {
 public:
  explicit NetworkBuilder(std::int64_t opset = 13) {
    model.set_ir_version(7);
    model.add_opset_import()->set_version(opset);
    model.mutable_graph()->set_name("test");
  }
  NetworkBuilder& input(const std::string& name, const Dims& dims,
                        std::int32_t element = pb::TensorProto::FLOAT) {
    set_type(*model.mutable_graph()->add_input(), name, dims, element);
    return *this;
  }
  NetworkBuilder& output(const std::string& name, const Dims& dims) {
    set_type(*model.mutable_graph()->add_output(), name, dims);
    return *this;
  }
  // The type of an inner tensor.
  NetworkBuilder& value(const std::string& name, const Dims& dims) {
    set_type(*model.mutable_graph()->add_value_info(), name, dims);
    return *this;
  }
  NetworkBuilder& weight(const std::string& name, const Dims& dims, const std::vector<float>& values) {
    *model.mutable_graph()->add_initializer() = make_floats(name, dims, values);
    return *this;
  }
  // Numbers from a seed, in -scale..scale.
  NetworkBuilder& random(const std::string& name, const Dims& dims, std::uint32_t seed, float scale = 1.0f) {
    std::mt19937 engine(seed);
    std::uniform_real_distribution<float> draw(-scale, scale);
    std::size_t count = 1;
    for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
    std::vector<float> values(count);
    for (float& v : values) v = draw(engine);
    return weight(name, dims, values);
  }
  pb::NodeProto& node(const std::string& type, const std::vector<std::string>& inputs,
                      const std::vector<std::string>& outputs) {
    pb::NodeProto& out = *model.mutable_graph()->add_node();
    out.set_op_type(type);
    out.set_name(type + "_" + outputs[0]);
    for (const std::string& name : inputs) out.add_input(name);
    for (const std::string& name : outputs) out.add_output(name);
    return out;
  }

  pb::ModelProto model;
};

inline pb::AttributeProto& add_ints(pb::NodeProto& node, const std::string& name, const Dims& values) {
  pb::AttributeProto& out = *node.add_attribute();
  out.set_name(name);
  out.set_type(pb::AttributeProto::INTS);
  for (const std::int64_t v : values) out.add_ints(v);
  return out;
}

inline void add_int(pb::NodeProto& node, const std::string& name, std::int64_t value) {
  pb::AttributeProto& out = *node.add_attribute();
  out.set_name(name);
  out.set_type(pb::AttributeProto::INT);
  out.set_i(value);
}

inline void add_float(pb::NodeProto& node, const std::string& name, float value) {
  pb::AttributeProto& out = *node.add_attribute();
  out.set_name(name);
  out.set_type(pb::AttributeProto::FLOAT);
  out.set_f(value);
}

// Samples for a model with one float input "x".
class RandomSamples final : public Samples {
 public:
  RandomSamples(Dims dims, std::size_t count, std::uint32_t seed, float scale = 1.0f)
      : dims_(std::move(dims)), count_(count), seed_(seed), scale_(scale) {}
  Status for_each(const std::function<Status(const Sample&)>& visit) override {
    std::mt19937 engine(seed_);
    std::uniform_real_distribution<float> draw(-scale_, scale_);
    std::size_t size = 1;
    for (const std::int64_t dim : dims_) size *= static_cast<std::size_t>(dim);
    for (std::size_t s = 0; s < count_; ++s) {
      std::vector<float> values(size);
      for (float& v : values) v = draw(engine);
      SLUICE_RETURN_IF_ERROR(
          visit({{"x", DType::kFloat32, dims_, reinterpret_cast<const std::byte*>(values.data()),
                  values.size() * sizeof(float)}}));
    }
    return {};
  }
  std::optional<std::size_t> count() const override { return count_; }

 private:
  Dims dims_;
  std::size_t count_;
  std::uint32_t seed_;
  float scale_;
};

// All outputs of one run, one after the other; `x` is the one input.
inline std::vector<float> run(const pb::ModelProto& model, const Dims& dims, const std::vector<float>& x) {
  const std::string bytes = model.SerializeAsString();
  const auto evaluator = ort::Evaluator::open(bytes, ort::Evaluator::Effort::kAsWritten);
  EXPECT_TRUE(evaluator.ok()) << evaluator.status().message();
  if (!evaluator.ok()) return {};
  const ort::ArrayView view{DType::kFloat32, dims, reinterpret_cast<const std::byte*>(x.data()),
                            x.size() * sizeof(float)};
  const auto arrays = (*evaluator)->run(std::vector<ort::ArrayView>{view});
  EXPECT_TRUE(arrays.ok()) << arrays.status().message();
  std::vector<float> out;
  if (!arrays.ok()) return out;
  for (const auto& array : *arrays) out.insert(out.end(), array.floats().begin(), array.floats().end());
  return out;
}

inline std::vector<float> some_numbers(const Dims& dims, std::uint32_t seed, float scale = 1.0f) {
  std::size_t count = 1;
  for (const std::int64_t dim : dims) count *= static_cast<std::size_t>(dim);
  std::mt19937 engine(seed);
  std::uniform_real_distribution<float> draw(-scale, scale);
  std::vector<float> out(count);
  for (float& v : out) v = draw(engine);
  return out;
}

}  // namespace sluice::quantize::testing
