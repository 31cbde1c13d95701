#include "tools/sluice/model_facts.h"

#include <algorithm>
#include <array>
#include <string_view>

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

TensorFacts tensor(const onnx::ValueInfo& info, const std::optional<onnx::EdgeQuant>& quant) {
  TensorFacts out;
  out.name = std::string(info.name);
  out.dtype = element_name(quant ? quant->element : info.element);
  for (const onnx::Dim& dim : info.dims) {
    out.shape.push_back(dim.value >= 0     ? std::to_string(dim.value)
                        : dim.name.empty() ? "?"
                                           : std::string(dim.name));
  }
  if (quant) {
    out.scale = quant->scale;
    out.zero_point = quant->zero_point;
  }
  return out;
}

using Dims = std::vector<std::int64_t>;

// Known shapes of all tensors that are not weights; a symbolic first dimension counts as a batch of 1.
std::map<std::string_view, Dims> shapes_of(const onnx::ModelHeader& header) {
  std::map<std::string_view, Dims> out;
  for (const auto* list : {&header.inputs, &header.values, &header.outputs}) {
    for (const onnx::ValueInfo& info : *list) {
      if (!info.has_shape) continue;
      Dims dims;
      for (const onnx::Dim& dim : info.dims) dims.push_back(dim.value);
      if (!dims.empty() && dims[0] < 0) dims[0] = 1;
      const bool fixed = std::all_of(dims.begin(), dims.end(), [](std::int64_t d) { return d > 0; });
      if (fixed) out[info.name] = std::move(dims);
    }
  }
  return out;
}

// Overflow gives nothing, as a missing shape does.
std::optional<std::int64_t> product(const Dims& dims) {
  std::int64_t out = 1;
  for (const std::int64_t d : dims) {
    if (__builtin_mul_overflow(out, d, &out)) return std::nullopt;
  }
  return out;
}

class MacCounter {
 public:
  explicit MacCounter(const onnx::ModelHeader& header) : shapes_(shapes_of(header)) {
    for (const onnx::Initializer& weights : header.initializers) weights_[weights.name] = weights.elements;
  }

  static bool counts(const onnx::Operator& op) {
    constexpr std::array<std::string_view, 6> kTypes = {"Conv",          "ConvInteger", "QLinearConv",
                                                        "ConvTranspose", "Gemm",        "MatMul"};
    return std::find(kTypes.begin(), kTypes.end(), op.type) != kTypes.end();
  }

  // Each weight is used once per place it is applied at: the output's pixels for a convolution (the input's
  // when it is transposed), its rows for a matrix product.
  std::optional<std::int64_t> macs(const onnx::Operator& op) const {
    const std::size_t weight_input = op.type == "QLinearConv" ? 3 : 1;
    if (op.inputs.size() <= weight_input || op.outputs.empty()) return std::nullopt;
    const bool transposed = op.type == "ConvTranspose";
    const auto places = shapes_.find(transposed ? op.inputs[0] : op.outputs[0]);
    const auto weights = weight_elements(op.inputs[weight_input]);
    if (places == shapes_.end() || !weights || places->second.size() < 2) return std::nullopt;
    const bool matrix = op.type == "Gemm" || op.type == "MatMul";
    const auto all = product(places->second);
    if (!all) return std::nullopt;
    const std::int64_t applied = *all / (matrix ? places->second.back() : places->second[1]);
    std::int64_t out = 0;
    return __builtin_mul_overflow(applied, *weights, &out) ? std::nullopt : std::optional(out);
  }

 private:
  std::optional<std::int64_t> weight_elements(std::string_view name) const {
    if (const auto found = weights_.find(name); found != weights_.end() && found->second >= 0)
      return found->second;
    if (const auto found = shapes_.find(name); found != shapes_.end()) return product(found->second);
    return std::nullopt;
  }

  std::map<std::string_view, Dims> shapes_;
  std::map<std::string_view, std::int64_t> weights_;
};

void count_macs(const onnx::ModelHeader& header, ModelFacts& facts) {
  const MacCounter counter(header);
  std::int64_t sum = 0;
  for (const onnx::Operator& op : header.operators) {
    if (!MacCounter::counts(op)) continue;
    const auto macs = counter.macs(op);
    if (!macs || __builtin_add_overflow(sum, *macs, &sum)) ++facts.without_shape;
  }
  if (facts.without_shape == 0 && !header.has_subgraphs) facts.macs = sum;
}

}  // namespace

ModelFacts facts_of(const CheckedModel& model) {
  ModelFacts out;
  out.path = model.file->path();
  out.bytes = model.file->stamp().size;
  out.producer = model.header.producer;
  out.opsets = model.header.opsets;
  for (std::size_t i = 0; i < model.header.inputs.size(); ++i) {
    out.inputs.push_back(tensor(model.header.inputs[i], model.edges.inputs[i]));
  }
  for (std::size_t i = 0; i < model.header.outputs.size(); ++i) {
    out.outputs.push_back(tensor(model.header.outputs[i], model.edges.outputs[i]));
  }
  for (const onnx::Operator& op : model.header.operators) ++out.operators[std::string(op.type)];
  for (const onnx::Initializer& weights : model.header.initializers)
    out.parameters += std::max<std::int64_t>(weights.elements, 0);
  count_macs(model.header, out);
  return out;
}

}  // namespace sluice::cli
