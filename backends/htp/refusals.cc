#include "backends/htp/refusals.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "backends/htp/same_windows.h"
#include "inference/onnx/attributes.h"

namespace sluice::htp {
namespace {

using onnx::Bytes;

std::string describe(const onnx::Operator& op) {
  const Bytes name = op.name.empty() && !op.outputs.empty() ? op.outputs[0] : op.name;
  return "operator '" + std::string(name) + "' (" + std::string(op.type) + ")";
}

Status check_windows(const CheckedModel& model, const onnx::FixedDims& dims) {
  for (const auto& [place, padding] : same_windows(model.header, model.file->bytes(), dims))
    if (padding.starts_inside())
      return unavailable(describe(model.header.operators[place]) +
                         " is padded by auto_pad to less than its input, which QNN's compiler does not "
                         "survive; put a Slice before it and leave auto_pad out");
  return {};
}

// One float channel made of one with strides of 3 or more: every element is 65536 then.
Status check_single_channels(const CheckedModel& model) {
  constexpr double kWrong = 3;
  std::set<Bytes> single;  // float weights 1x1x...
  for (const onnx::Initializer& weights : model.header.initializers) {
    const auto dims = onnx::tensor_dims(weights.message);
    if (weights.element == onnx::kFloat && dims.size() > 2 && dims[0] == 1 && dims[1] == 1)
      single.insert(weights.name);
  }
  const std::vector<Bytes> messages = onnx::node_messages(model.file->bytes());
  for (std::size_t i = 0; i < std::min(messages.size(), model.header.operators.size()); ++i) {
    const onnx::Operator& op = model.header.operators[i];
    if (op.type != "Conv" || op.inputs.size() < 2 || !single.contains(op.inputs[1])) continue;
    const auto strides = onnx::Attributes(messages[i]).numbers("strides");
    if (strides && std::ranges::any_of(*strides, [](double stride) { return stride >= kWrong; }))
      return unavailable(describe(op) +
                         " makes one channel of one with strides of 3 or more, which QNN computes wrong in "
                         "fp16; quantise the model");
  }
  return {};
}

using Makers = std::map<Bytes, const onnx::Operator*>;

const onnx::Operator* maker_of(const Makers& makers, Bytes tensor, Bytes type) {
  const auto found = makers.find(tensor);
  return found != makers.end() && found->second->type == type && !found->second->inputs.empty()
             ? found->second
             : nullptr;
}

// Between `input` and the tensor stand a QuantizeLinear and a DequantizeLinear: the former's scale, else
// empty.
Bytes scale_between(const Makers& makers, Bytes input, Bytes tensor) {
  const onnx::Operator* const dequantize = maker_of(makers, tensor, "DequantizeLinear");
  const onnx::Operator* const quantize =
      dequantize ? maker_of(makers, dequantize->inputs[0], "QuantizeLinear") : nullptr;
  return quantize && quantize->inputs[0] == input && quantize->inputs.size() > 1 ? quantize->inputs[1]
                                                                                 : Bytes{};
}

bool is_quantised(const onnx::ModelHeader& header, Bytes tensor) {
  return std::ranges::any_of(header.operators, [tensor](const onnx::Operator& op) {
    return op.type == "QuantizeLinear" && !op.inputs.empty() && op.inputs[0] == tensor;
  });
}

// One input that reaches an operator in two quantisations, where nothing is quantised behind it.
Status check_inputs(const onnx::ModelHeader& header) {
  Makers makers;
  for (const onnx::Operator& op : header.operators)
    for (const Bytes output : op.outputs) makers[output] = &op;
  for (const onnx::ValueInfo& input : header.inputs)
    for (const onnx::Operator& op : header.operators) {
      if (op.outputs.empty()) continue;
      std::set<Bytes> scales;
      for (const Bytes tensor : op.inputs)
        if (const Bytes scale = scale_between(makers, input.name, tensor); !scale.empty())
          scales.insert(scale);
      if (scales.size() > 1 && op.type != "Concat" && !is_quantised(header, op.outputs[0]))
        return unavailable(
            describe(op) + " reads input '" + std::string(input.name) +
            "' in several quantisations, which QNN's compiler does not survive; quantise what it "
            "gives too, or its inputs with one scale");
    }
  return {};
}

}  // namespace

Status check_computable(const CheckedModel& model, const onnx::FixedDims& dims) {
  SLUICE_RETURN_IF_ERROR(check_windows(model, dims));
  SLUICE_RETURN_IF_ERROR(check_single_channels(model));
  return check_inputs(model.header);
}

}  // namespace sluice::htp
