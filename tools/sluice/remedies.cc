#include "tools/sluice/remedies.h"

#include <algorithm>
#include <array>

namespace sluice::cli {
namespace {

// ONNX Runtime's integer and fused forms need what the plain ones need.
std::string_view plain_type(std::string_view type) {
  for (const std::string_view prefix : {"QLinear", "Fused"})
    if (type.starts_with(prefix)) return type.substr(prefix.size());
  return type;
}

bool any_of(const LayerTime& layer, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), plain_type(layer.type)) != types.end();
}

bool is_float(const LayerTime& layer) {
  return !layer.inputs.empty() && (layer.inputs[0].dtype == "float" || layer.inputs[0].dtype == "float16");
}

bool is_16_bits(std::string_view dtype) { return dtype == "uint16" || dtype == "int16"; }

bool has_16_bits(const LayerTime& layer) {
  return std::ranges::any_of(layer.inputs, is_16_bits, &LayerShape::dtype);
}

// The CPU computes these in float, and so converts before and behind each.
bool is_16_bits_on_cpu(const LayerTime& layer, std::string_view backend) {
  if (backend != "cpu") return false;
  if (any_of(layer, {"QuantizeLinear", "DequantizeLinear"}))
    return has_16_bits(layer) || std::ranges::any_of(layer.outputs, is_16_bits, &LayerShape::dtype);
  return is_float(layer) && is_16_bits(layer.quantised);
}

// Weights of a convolution: {outputs, inputs per group, height, width}; empty when they are not known.
std::vector<std::int64_t> kernel_of(const LayerTime& layer) {
  if (!any_of(layer, {"Conv"})) return {};
  if (layer.kernel.size() == 4) return layer.kernel;
  const std::size_t at = layer.type == "QLinearConv" ? 3 : 1;
  const bool known = layer.inputs.size() > at && layer.inputs[at].dims.size() == 4;
  return known ? layer.inputs[at].dims : std::vector<std::int64_t>{};
}

bool is_wide_kernel(const LayerTime& layer) {
  const auto kernel = kernel_of(layer);
  return !kernel.empty() && kernel[1] >= 16 && kernel[2] * kernel[3] > 1;
}

bool has_few_channels(const LayerTime& layer) {
  const auto kernel = kernel_of(layer);
  return !kernel.empty() && kernel[1] > 1 && std::min(kernel[0], kernel[1]) < 8;
}

// QNN's names of what the provider added.
bool is_turned_edge(const LayerTime& layer) {
  return layer.type.empty() && layer.name.starts_with("Transpose");
}
bool is_copied_edge(const LayerTime& layer) {
  return layer.type.empty() &&
         (layer.name.starts_with("Input OpId") || layer.name.starts_with("Output OpId"));
}

struct Rule {
  bool (*fits)(const LayerTime&, std::string_view backend);
  std::string_view remedy;
};

constexpr std::array<Rule, 20> kRules = {{
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"BatchNormalization"}); },
     "an unfused batch normalisation: fold it into the layer before (sluice quantize does, or export in "
     "inference mode)"},
    {is_16_bits_on_cpu,
     "16-bit integers, which the CPU computes in float: it has integer forms for 8 bits (sluice quantize "
     "--scheme w8a8, or mixed)"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"QuantizeLinear", "DequantizeLinear"}); },
     "numbers change between float and integer here: quantise the neighbouring operators too, or take "
     "integers "
     "at the model's edges (sluice quantize --io quantized)"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Transpose"}); },
     "only moves numbers: export the model in one layout (NCHW), so that nothing is transposed"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"ReorderInput", "ReorderOutput"}); },
     "only moves numbers: ONNX Runtime's convolutions want channels in blocks; each operator between them "
     "that "
     "does not costs this twice"},
    {[](const LayerTime& l, std::string_view) { return is_turned_edge(l); },
     "only moves numbers: the NPU computes with channels last and turns what has them first; smaller inputs "
     "and outputs, and no Reshape or Transpose between the layers, make it cheaper"},
    {[](const LayerTime& l, std::string_view) { return is_copied_edge(l); },
     "what goes into or out of the NPU: smaller inputs and outputs, or integers there (sluice quantize --io "
     "quantized), move less"},
    {[](const LayerTime& l, std::string_view) { return l.type == "EPContext"; },
     "part of a compiled model, which does not say what it computes: profile the ONNX model that it was "
     "compiled from"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Resize", "Upsample"}); },
     "resizing: mode nearest with a whole factor is the cheapest; cubic and odd factors are the dearest"},
    {[](const LayerTime& l, std::string_view) {
       return any_of(l, {"Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Swish", "Gelu", "Erf", "Elu",
                         "Softplus", "Mish", "Exp", "QuickGelu"});
     },
     "a costly activation: Relu or Clip cost next to nothing behind a convolution; retrain with one of them"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Softmax", "LogSoftmax"}); },
     "a softmax over many numbers: take the largest of its input instead where only the order counts"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Pad", "Concat", "Slice", "Split"}); },
     "only moves numbers: let the convolution pad, and keep channels together"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Gather", "GatherND", "GatherElements"}); },
     "a look-up, which waits for memory: a smaller table, or one of 8-bit integers, is faster"},
    {[](const LayerTime& l, std::string_view) { return has_16_bits(l); },
     "16-bit integers: --scheme mixed keeps them only where 8 bits cost accuracy"},
    {[](const LayerTime& l, std::string_view backend) {
       return backend != "gpu" && is_float(l) && !l.quantised.empty();
     },
     "integers in the model, computed in float here: the backend has no integer form of it as it stands"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Gemm", "MatMul"}) && is_float(l); },
     "a dense layer in float: integers halve or quarter it (sluice quantize --scheme w8a8)"},
    {[](const LayerTime& l, std::string_view) { return has_few_channels(l); },
     "fewer than 8 channels leave vector units idle: start with a larger stride and more channels"},
    {[](const LayerTime& l, std::string_view) { return is_wide_kernel(l); },
     "a dense convolution: a depthwise one with a 1x1 behind it needs a fraction of its products; retrain "
     "with "
     "those"},
    {[](const LayerTime& l, std::string_view backend) { return backend != "gpu" && is_float(l); },
     "float arithmetic: sluice quantize makes it integer"},
    {[](const LayerTime& l, std::string_view backend) { return backend == "htp" && l.type.empty(); },
     "part of what the provider made of several operators: compare the model's graph there"},
}};

}  // namespace

std::string remedy_for(const LayerTime& layer, std::string_view backend) {
  for (const Rule& rule : kRules)
    if (rule.fits(layer, backend)) return std::string(rule.remedy);
  return "none known: it is useful work; a smaller input or model is what makes it faster";
}

}  // namespace sluice::cli
