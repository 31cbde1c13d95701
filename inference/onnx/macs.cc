#include "inference/onnx/macs.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>
#include <vector>

namespace sluice::onnx {
namespace {

// A tensor and its quantised and dequantised forms have one shape: all go by the name of the first.
class Names {
 public:
  explicit Names(const ModelHeader& header) {
    for (const Operator& op : header.operators) {
      const bool step = op.type == "QuantizeLinear" || op.type == "DequantizeLinear";
      if (step && !op.inputs.empty() && !op.outputs.empty()) from_[op.outputs[0]] = op.inputs[0];
    }
  }
  std::string_view first(std::string_view name) const {
    for (std::size_t steps = 0; steps <= from_.size(); ++steps) {  // a cycle is no valid graph, but ends too
      const auto it = from_.find(name);
      if (it == from_.end()) break;
      name = it->second;
    }
    return name;
  }

 private:
  std::map<std::string_view, std::string_view> from_;
};

// A tensor that is quantised has the shape that is known at any of its forms.
Shapes by_first_name(Shapes shapes, const Names& names) {
  Shapes out;
  for (auto& [name, dims] : shapes) out.insert_or_assign(names.first(name), std::move(dims));
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
  MacCounter(const ModelHeader& header, Bytes file, const FixedDims& dims)
      : names_(header), shapes_(by_first_name(shapes_of(header, file, dims), names_)) {
    for (const Initializer& weights : header.initializers) weights_[weights.name] = weights.elements;
  }

  static bool counts(const Operator& op) {
    constexpr std::array<std::string_view, 6> kTypes = {"Conv",          "ConvInteger", "QLinearConv",
                                                        "ConvTranspose", "Gemm",        "MatMul"};
    return std::find(kTypes.begin(), kTypes.end(), op.type) != kTypes.end();
  }

  // Multiplies too, but how often is not known here: recurrent ones, what is compiled, the user's own.
  static bool is_unknown(const Operator& op) {
    constexpr std::array<std::string_view, 10> kTypes = {
        "LSTM",      "GRU",        "RNN",         "Einsum",    "MatMulInteger",
        "Attention", "DeformConv", "MatMulNBits", "EPContext", "MultiHeadAttention"};
    const bool foreign = !op.domain.empty() && op.domain != "ai.onnx" && op.domain != "com.microsoft";
    return foreign || std::find(kTypes.begin(), kTypes.end(), op.type) != kTypes.end();
  }

  // Each weight is used once per place it is applied at: the output's pixels for a convolution (the input's
  // when it is transposed), its rows for a matrix product.
  std::optional<std::int64_t> macs(const Operator& op) const {
    const std::size_t weight_input = op.type == "QLinearConv" ? 3 : 1;
    if (op.inputs.size() <= weight_input || op.outputs.empty()) return std::nullopt;
    const bool transposed = op.type == "ConvTranspose";
    const auto places = shapes_.find(names_.first(transposed ? op.inputs[0] : op.outputs[0]));
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
  std::optional<std::int64_t> weight_elements(std::string_view tensor) const {
    const std::string_view name = names_.first(tensor);
    if (const auto found = weights_.find(name); found != weights_.end() && found->second >= 0)
      return found->second;
    if (const auto found = shapes_.find(name); found != shapes_.end()) return product(found->second);
    return std::nullopt;
  }

  const Names names_;
  const Shapes shapes_;
  std::map<std::string_view, std::int64_t> weights_;
};

}  // namespace

Macs count_macs(const ModelHeader& header, Bytes file, const FixedDims& dims) {
  const MacCounter counter(header, file, dims);
  Macs out;
  std::int64_t sum = 0;
  for (const Operator& op : header.operators) {
    if (MacCounter::is_unknown(op)) out.uncounted.insert(std::string(op.type));
    if (!MacCounter::counts(op)) continue;
    const auto macs = counter.macs(op);
    if (!macs || __builtin_add_overflow(sum, *macs, &sum)) ++out.without_shape;
  }
  if (out.without_shape == 0 && out.uncounted.empty() && !header.has_subgraphs) out.total = sum;
  return out;
}

}  // namespace sluice::onnx
