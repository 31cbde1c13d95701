// Builds small ONNX models byte by byte, so that tests need no ONNX library.
#pragma once

#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "inference/onnx/model_header.h"

namespace sluice::testing {

namespace pb = sluice::onnx::field;

// A dimension: a size, a name, or nothing (unnamed and unknown).
struct DimSpec {
  template <std::integral Size>
  DimSpec(Size size) : value(size) {}                       // NOLINT: implicit by design
  DimSpec(const char* symbol) : value(-1), name(symbol) {}  // NOLINT: implicit by design
  std::int64_t value;
  std::string name;
};
using Dims = std::vector<DimSpec>;

inline std::string value_info(const std::string& name, std::int32_t element, const Dims& dims) {
  onnx::Writer shape;
  for (const DimSpec& dim : dims) {
    onnx::Writer d;
    if (dim.value >= 0)
      d.varint(pb::kDimValue, static_cast<std::uint64_t>(dim.value));
    else if (!dim.name.empty())
      d.bytes(pb::kDimParam, dim.name);
    shape.bytes(pb::kDimension, d.text());
  }
  onnx::Writer tensor, type, info;
  tensor.varint(pb::kElement, static_cast<std::uint64_t>(element)).bytes(pb::kShape, shape.text());
  type.bytes(pb::kTensorType, tensor.text());
  return info.bytes(pb::kValueName, name).bytes(pb::kValueType, type.text()).take();
}

template <typename T>
std::string tensor(const std::string& name, std::int32_t element, const std::vector<std::int64_t>& dims,
                   const std::vector<T>& values) {
  onnx::Writer out;
  for (const std::int64_t dim : dims) out.varint(pb::kDims, static_cast<std::uint64_t>(dim));
  out.varint(pb::kDataType, static_cast<std::uint64_t>(element)).bytes(pb::kTensorName, name);
  return out.bytes(pb::kRawData, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)})
      .take();
}

inline std::string external_tensor(const std::string& name, const std::vector<std::int64_t>& dims,
                                   const std::string& location, const std::string& length = "",
                                   const std::string& offset = "") {
  onnx::Writer out;
  for (const std::int64_t dim : dims) out.varint(pb::kDims, static_cast<std::uint64_t>(dim));
  out.varint(pb::kDataType, onnx::kFloat).bytes(pb::kTensorName, name);
  const auto entry = [&out](const std::string& key, const std::string& value) {
    out.bytes(pb::kExternalData,
              onnx::Writer().bytes(pb::kEntryKey, key).bytes(pb::kEntryValue, value).text());
  };
  entry("location", location);
  if (!offset.empty()) entry("offset", offset);
  if (!length.empty()) entry("length", length);
  return out.varint(pb::kDataLocation, 1).take();
}

inline std::string int_attribute(const std::string& name, std::int64_t value) {
  return onnx::Writer()
      .bytes(pb::kAttributeName, name)
      .varint(pb::kAttributeInt, static_cast<std::uint64_t>(value))
      .varint(20, 2)
      .take();  // type INT
}

// A model of one graph; add to it, then take `bytes()`.
class ModelBuilder {
 public:
  ModelBuilder& opset(std::int64_t version) {
    opset_ = version;
    return *this;
  }
  ModelBuilder& ir(std::int64_t version) {
    ir_ = version;
    return *this;
  }
  ModelBuilder& input(const std::string& name, const Dims& dims, std::int32_t element = onnx::kFloat) {
    graph_.bytes(pb::kInput, value_info(name, element, dims));
    return *this;
  }
  ModelBuilder& output(const std::string& name, const Dims& dims, std::int32_t element = onnx::kFloat) {
    graph_.bytes(pb::kOutput, value_info(name, element, dims));
    return *this;
  }
  ModelBuilder& node(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<std::string>& outputs,
                     const std::vector<std::string>& attributes = {}) {
    onnx::Writer node;
    for (const std::string& name : inputs) node.bytes(pb::kNodeInput, name);
    for (const std::string& name : outputs) node.bytes(pb::kNodeOutput, name);
    node.bytes(pb::kNodeName, type + "_" + outputs[0]).bytes(pb::kOpType, type);
    for (const std::string& attribute : attributes) node.bytes(pb::kAttribute, attribute);
    graph_.bytes(pb::kNode, node.text());
    return *this;
  }
  ModelBuilder& weight(const std::string& tensor) {
    graph_.bytes(pb::kInitializer, tensor);
    return *this;
  }
  ModelBuilder& scale(const std::string& name, float value) {
    return weight(tensor<float>(name, onnx::kFloat, {}, {value}));
  }
  std::string bytes() const {
    onnx::Writer model;
    model.varint(pb::kIrVersion, static_cast<std::uint64_t>(ir_));
    const std::string graph = onnx::Writer().bytes(pb::kGraphName, "g").raw(graph_.text()).text();
    model.bytes(pb::kOpset, onnx::Writer()
                                .bytes(pb::kOpsetDomain, "")
                                .varint(pb::kOpsetVersion, static_cast<std::uint64_t>(opset_))
                                .text());
    return model.bytes(pb::kGraph, graph).take();
  }

 private:
  std::int64_t opset_ = 21;
  std::int64_t ir_ = 10;
  onnx::Writer graph_;
};

// y = Relu(x), float32 [dims].
inline ModelBuilder relu_model(const Dims& dims = {1, 4}) {
  return ModelBuilder().input("x", dims).output("y", dims).node("Relu", {"x"}, {"y"});
}

// x -> Q -> DQ -> Relu -> Q -> DQ -> y, uint8 in (scale 0.5, zero point 128) and int8 out (scale 0.25, zero
// point -3).
inline ModelBuilder qdq_model() {
  return ModelBuilder()
      .input("x", {1, 8})
      .output("y", {1, 8})
      .scale("xs", 0.5f)
      .weight(tensor<std::uint8_t>("xz", onnx::kUint8, {}, {128}))
      .scale("ys", 0.25f)
      .weight(tensor<std::int8_t>("yz", onnx::kInt8, {}, {-3}))
      .node("QuantizeLinear", {"x", "xs", "xz"}, {"xq"})
      .node("DequantizeLinear", {"xq", "xs", "xz"}, {"xd"})
      .node("Relu", {"xd"}, {"r"})
      .node("QuantizeLinear", {"r", "ys", "yz"}, {"yq"})
      .node("DequantizeLinear", {"yq", "ys", "yz"}, {"y"});
}

}  // namespace sluice::testing
