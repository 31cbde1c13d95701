#include "tools/sluice/layer_operators.h"

#include <algorithm>
#include <map>
#include <string_view>

#include "inference/onnx/attributes.h"

namespace sluice::cli {
namespace {

using onnx::Operator;

// In ONNX Runtime's words.
std::string_view element_name(std::int32_t element) {
  switch (element) {
    case onnx::kInt8:
      return "int8";
    case onnx::kUint16:
      return "uint16";
    case onnx::kInt16:
      return "int16";
    default:
      return "uint8";
  }
}

class Operators {
 public:
  explicit Operators(const onnx::ModelHeader& header) {
    for (const onnx::Initializer& tensor : header.initializers) weights_[tensor.name] = &tensor;
    for (const Operator& op : header.operators) {
      if (!op.name.empty()) names_.emplace(op.name, &op);
      for (const onnx::Bytes output : op.outputs) makers_[output] = &op;
      compiled_ = compiled_ || op.type == "EPContext";
    }
  }

  void describe(LayerTime& layer) const {
    const Operator* const op = find(layer.name);
    if (!op) {
      if (layer.type.empty() && compiled_) layer.type = "EPContext";
      return;
    }
    if (layer.type.empty()) layer.type = std::string(op->type);
    if (op->inputs.empty()) return;
    if (dequantiser(op->inputs[0])) layer.quantised = element_of(op->inputs[0]);
    if (layer.inputs.empty()) layer.inputs = {{element_of(op->inputs[0]), {}}};
    if (op->inputs.size() > 1) layer.kernel = dims_of(op->inputs[1]);
  }

 private:
  const Operator* named(std::string_view name) const {
    const auto found = names_.find(name);
    return found == names_.end() ? nullptr : found->second;
  }

  const Operator* find(std::string_view name) const {
    if (const Operator* const op = named(name)) return op;
    name = name.substr(0, name.find("_token_"));
    constexpr std::string_view kFused = "fused ", kBlocked = "_nchwc";
    if (name.starts_with(kFused)) name.remove_prefix(kFused.size());
    if (const Operator* const op = named(name)) return op;
    if (!name.ends_with(kBlocked)) return nullptr;
    name.remove_suffix(kBlocked.size());
    return maker(name);
  }

  const Operator* maker(std::string_view tensor) const {
    const auto found = makers_.find(tensor);
    return found == makers_.end() ? nullptr : found->second;
  }

  // The DequantizeLinear that a float tensor comes from; null: none.
  const Operator* dequantiser(std::string_view tensor) const {
    const Operator* const op = maker(tensor);
    return op && op->type == "DequantizeLinear" && !op->inputs.empty() ? op : nullptr;
  }

  std::string element_of(std::string_view tensor) const {
    const Operator* const step = dequantiser(tensor);
    if (!step) return "float";
    const auto zero_point = step->inputs.size() > 2 ? weights_.find(step->inputs[2]) : weights_.end();
    return std::string(zero_point == weights_.end() ? "uint8" : element_name(zero_point->second->element));
  }

  std::vector<std::int64_t> dims_of(std::string_view tensor) const {
    if (const Operator* const step = dequantiser(tensor)) tensor = step->inputs[0];
    const auto found = weights_.find(tensor);
    return found == weights_.end() ? std::vector<std::int64_t>{} : onnx::tensor_dims(found->second->message);
  }

  std::map<std::string_view, const Operator*> names_, makers_;
  std::map<std::string_view, const onnx::Initializer*> weights_;
  bool compiled_ = false;
};

}  // namespace

void describe_layers(const onnx::ModelHeader& header, std::vector<LayerTime>& layers) {
  const Operators operators(header);
  for (LayerTime& layer : layers) operators.describe(layer);
}

}  // namespace sluice::cli
