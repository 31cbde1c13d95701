// wrap_context_binary: ONNX, byte by byte.
#include <algorithm>
#include <cstring>

#include "backends/htp/context_binary.h"
#include "framework/node/htp_socs.h"
#include "inference/onnx/model_header.h"
#include "inference/onnx/wire.h"

namespace sluice::htp {
namespace {

namespace field = onnx::field;
using onnx::Writer;

// Fields of onnx.proto that only a writer needs.
constexpr std::uint32_t kAttributeString = 4, kAttributeType = 20, kMetadata = 14;
constexpr std::uint64_t kInt = 2, kString = 3;
constexpr std::uint64_t kIrVersion = 10, kOpset = 21;  // 16-bit integers in QuantizeLinear

std::string int_attribute(std::string_view name, std::uint64_t value) {
  return Writer()
      .bytes(field::kAttributeName, name)
      .varint(field::kAttributeInt, value)
      .varint(kAttributeType, kInt)
      .take();
}

std::string text_attribute(std::string_view name, std::string_view value) {
  return Writer()
      .bytes(field::kAttributeName, name)
      .bytes(kAttributeString, value)
      .varint(kAttributeType, kString)
      .take();
}

std::string value_info(std::string_view name, std::int32_t element, const std::vector<std::int64_t>& dims) {
  Writer shape, tensor, type;
  for (const std::int64_t dim : dims)
    shape.bytes(field::kDimension, Writer().varint(field::kDimValue, static_cast<std::uint64_t>(dim)).text());
  tensor.varint(field::kElement, static_cast<std::uint64_t>(element)).bytes(field::kShape, shape.text());
  type.bytes(field::kTensorType, tensor.text());
  return Writer().bytes(field::kValueName, name).bytes(field::kValueType, type.text()).take();
}

template <typename T>
std::string scalar(const std::string& name, std::int32_t element, T value) {
  std::string raw(sizeof value, '\0');
  std::memcpy(raw.data(), &value, sizeof value);
  return Writer()
      .varint(field::kDataType, static_cast<std::uint64_t>(element))
      .bytes(field::kTensorName, name)
      .bytes(field::kRawData, raw)
      .take();
}

std::string zero_point_of(const std::string& name, const BinaryTensor& tensor) {
  switch (tensor.element) {
    case onnx::kUint8:
      return scalar(name, tensor.element, static_cast<std::uint8_t>(tensor.zero_point));
    case onnx::kInt8:
      return scalar(name, tensor.element, static_cast<std::int8_t>(tensor.zero_point));
    case onnx::kUint16:
      return scalar(name, tensor.element, static_cast<std::uint16_t>(tensor.zero_point));
    default:
      return scalar(name, tensor.element, static_cast<std::int16_t>(tensor.zero_point));
  }
}

class GraphWriter {
 public:
  explicit GraphWriter(const ContextBinary& info) : info_(info) {}

  // The provider finds the context's graph and tensors by the names of the node and its inputs and outputs;
  // a run always uses quantised edges as integers, and then they have the names of the model's.
  std::string write(std::string_view context) {
    Writer node;
    for (const BinaryTensor& input : info_.inputs) node.bytes(field::kNodeInput, inner(input));
    for (const BinaryTensor& output : info_.outputs) node.bytes(field::kNodeOutput, inner(output));
    node.bytes(field::kNodeName, info_.graph)
        .bytes(field::kOpType, "EPContext")
        .bytes(field::kAttribute, int_attribute("main_context", 1))
        .bytes(field::kAttribute, int_attribute("embed_mode", 1))
        .bytes(field::kAttribute, text_attribute("ep_cache_context", context))
        .bytes(field::kAttribute, text_attribute("source", "QNNExecutionProvider"))
        .bytes(field::kNodeDomain, "com.microsoft");
    for (const BinaryTensor& input : info_.inputs) add(input, field::kInput, "QuantizeLinear");
    graph_.bytes(field::kNode, node.text());
    for (const BinaryTensor& output : info_.outputs) add(output, field::kOutput, "DequantizeLinear");
    return graph_.bytes(field::kGraphName, info_.graph).take();
  }

 private:
  static std::string inner(const BinaryTensor& t) { return t.scale ? t.name + "_integers" : t.name; }

  // A graph input or output, with its step to or from integers.
  void add(const BinaryTensor& t, std::uint32_t role, std::string_view step) {
    graph_.bytes(role,
                 value_info(t.name, t.scale ? static_cast<std::int32_t>(onnx::kFloat) : t.element, t.dims));
    if (!t.scale) return;
    const bool in = role == field::kInput;
    const std::string scale = t.name + "_scale", zero = t.name + "_zero_point";
    graph_.bytes(field::kInitializer, scalar(scale, onnx::kFloat, *t.scale));
    graph_.bytes(field::kInitializer, zero_point_of(zero, t));
    graph_.bytes(field::kNode, Writer()
                                   .bytes(field::kNodeInput, in ? t.name : inner(t))
                                   .bytes(field::kNodeInput, scale)
                                   .bytes(field::kNodeInput, zero)
                                   .bytes(field::kNodeOutput, in ? inner(t) : t.name)
                                   .bytes(field::kNodeName, t.name + "_step")
                                   .bytes(field::kOpType, step)
                                   .text());
  }

  const ContextBinary& info_;
  Writer graph_;
};

// In the form that the provider writes into the models it compiles (read_compiled_for).
std::string made_for(const ContextBinary& info) {
  const auto socs = htp_socs();
  const auto soc = std::ranges::find(socs, info.soc, &HtpSoc::number);
  return "v2:6:" + info.qairt + "::" + std::to_string(soc == socs.end() ? 0 : soc->arch) + ":" +
         std::to_string(info.soc);
}

}  // namespace

std::string wrap_context_binary(const ContextBinary& info, std::string_view bytes) {
  const auto opset = [](std::string_view domain, std::uint64_t version) {
    return Writer().bytes(field::kOpsetDomain, domain).varint(field::kOpsetVersion, version).take();
  };
  const std::string metadata = Writer()
                                   .bytes(field::kEntryKey, "sluice.compiled_for")
                                   .bytes(field::kEntryValue, made_for(info))
                                   .take();
  return Writer()
      .varint(field::kIrVersion, kIrVersion)
      .bytes(field::kProducer, "sluice")
      .bytes(field::kGraph, GraphWriter(info).write(bytes))
      .bytes(field::kOpset, opset("", kOpset))
      .bytes(field::kOpset, opset("com.microsoft", 1))
      .bytes(kMetadata, metadata)
      .take();
}

}  // namespace sluice::htp
