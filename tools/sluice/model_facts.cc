#include "tools/sluice/model_facts.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "inference/onnx/attributes.h"
#include "inference/onnx/macs.h"

namespace sluice::cli {
namespace {

std::string element_name(std::int32_t element) {
  constexpr std::array<std::string_view, 12> kNames = {"unknown", "float32", "uint8",   "int8",
                                                       "uint16",  "int16",   "int32",   "int64",
                                                       "string",  "bool",    "float16", "float64"};
  return std::string(element > 0 && static_cast<std::size_t>(element) < kNames.size()
                         ? kNames[static_cast<std::size_t>(element)]
                         : kNames[0]);
}

std::string size_of(const onnx::Dim& dim, const std::string& place, const onnx::FixedDims& dims) {
  if (dim.value >= 0) return std::to_string(dim.value);
  for (const auto& [key, size] : dims)
    if (key == place || (!dim.name.empty() && key == dim.name)) return std::to_string(size);
  return dim.name.empty() ? "?" : std::string(dim.name);
}

TensorFacts tensor(const onnx::ValueInfo& info, const std::optional<onnx::EdgeQuant>& quant,
                   const onnx::FixedDims& dims) {
  TensorFacts out;
  out.name = std::string(info.name);
  out.has_shape = info.has_shape;
  out.dtype = element_name(quant ? quant->element : info.element);
  for (const onnx::Dim& dim : info.dims)
    out.shape.push_back(size_of(dim, out.name + "." + std::to_string(out.shape.size()), dims));
  if (quant) {
    out.scale = quant->params.scale;
    out.zero_point = quant->params.zero_point;
    out.axis = quant->params.axis;
  }
  return out;
}

void count(std::int32_t element, std::int64_t elements, ModelFacts& out) {
  out.parameters += std::max<std::int64_t>(elements, 0);
  out.parameters_by_type[element_name(element)] += std::max<std::int64_t>(elements, 0);
}

// Some exporters keep their weights in operators: paddle2onnx has no initializers at all.
void count_constants(const CheckedModel& model, ModelFacts& out) {
  const std::vector<onnx::Bytes> messages = onnx::node_messages(model.file->bytes());
  for (std::size_t i = 0; i < std::min(messages.size(), model.header.operators.size()); ++i) {
    if (model.header.operators[i].type != "Constant") continue;
    const onnx::Bytes tensor = onnx::Attributes(messages[i]).tensor("value");
    if (!tensor.empty()) count(onnx::tensor_element(tensor), onnx::tensor_elements(tensor), out);
  }
}

}  // namespace

ModelFacts facts_of(const CheckedModel& model, const onnx::FixedDims& dims) {
  ModelFacts out;
  out.path = model.file->path();
  out.bytes = model.file->stamp().size;
  out.producer = model.header.producer;
  out.opsets = model.header.opsets;
  for (std::size_t i = 0; i < model.header.inputs.size(); ++i) {
    out.inputs.push_back(tensor(model.header.inputs[i], model.edges.inputs[i], dims));
  }
  for (std::size_t i = 0; i < model.header.outputs.size(); ++i) {
    out.outputs.push_back(tensor(model.header.outputs[i], model.edges.outputs[i], dims));
  }
  for (const onnx::Operator& op : model.header.operators) ++out.operators[std::string(op.type)];
  for (const onnx::Initializer& weights : model.header.initializers) {
    count(weights.element, weights.elements, out);
  }
  count_constants(model, out);
  out.encodings = encodings_of(model.header);
  const onnx::Macs macs = onnx::count_macs(model.header, model.file->bytes(), dims);
  out.macs = macs.total;
  out.without_shape = macs.without_shape;
  out.uncounted = macs.uncounted;
  return out;
}

}  // namespace sluice::cli
