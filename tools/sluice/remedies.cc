#include "tools/sluice/remedies.h"

#include <algorithm>
#include <array>

namespace sluice::cli {
namespace {

bool any_of(const LayerTime& layer, std::initializer_list<std::string_view> types) {
  return std::find(types.begin(), types.end(), layer.type) != types.end();
}

bool is_float(const LayerTime& layer) {
  return !layer.inputs.empty() && (layer.inputs[0].dtype == "float" || layer.inputs[0].dtype == "float16");
}

bool has_16_bits(const LayerTime& layer) {
  return std::any_of(layer.inputs.begin(), layer.inputs.end(), [](const LayerShape& shape) {
    return shape.dtype == "uint16" || shape.dtype == "int16";
  });
}

// Weights of a convolution: {outputs, inputs per group, height, width}; null when they are not known.
const LayerShape* kernel_of(const LayerTime& layer) {
  if (!any_of(layer, {"Conv", "FusedConv", "QLinearConv"})) return nullptr;
  const std::size_t at = layer.type == "QLinearConv" ? 3 : 1;
  return layer.inputs.size() > at && layer.inputs[at].dims.size() == 4 ? &layer.inputs[at] : nullptr;
}

bool is_wide_kernel(const LayerTime& layer) {
  const LayerShape* const kernel = kernel_of(layer);
  return kernel && kernel->dims[1] >= 16 && kernel->dims[2] * kernel->dims[3] > 1;
}

bool has_few_channels(const LayerTime& layer) {
  const LayerShape* const kernel = kernel_of(layer);
  return kernel && kernel->dims[1] > 1 && std::min(kernel->dims[0], kernel->dims[1]) < 8;
}

struct Rule {
  bool (*fits)(const LayerTime&, std::string_view backend);
  std::string_view remedy;
};

constexpr std::array<Rule, 13> kRules = {{
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"BatchNormalization"}); },
     "an unfused batch normalisation: fold it into the layer before (sluice quantize does, or export in "
     "inference mode)"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"QuantizeLinear", "DequantizeLinear"}); },
     "numbers change between float and integer here: quantise the neighbouring operators too, or take "
     "integers "
     "at the model's edges (sluice quantize --io quantized)"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Transpose"}); },
     "only moves numbers: export the model in one layout (NCHW), so that nothing is transposed"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Resize", "Upsample"}); },
     "resizing: mode nearest with a whole factor is the cheapest; cubic and odd factors are the dearest"},
    {[](const LayerTime& l, std::string_view) {
       return any_of(l, {"Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Swish", "Gelu", "Erf", "Elu",
                         "Softplus", "Mish", "Exp", "QuickGelu"});
     },
     "a costly activation: Relu or Clip cost next to nothing behind a convolution; retrain with one of them"},
    {[](const LayerTime& l, std::string_view) { return any_of(l, {"Softmax", "LogSoftmax"}); },
     "a softmax over many numbers: take the largest of its input instead where only the order counts"},
    {[](const LayerTime& l, std::string_view) {
       return any_of(l, {"Pad", "Concat", "Slice", "Split", "Gather"});
     },
     "only moves numbers: let the convolution pad, and keep channels together"},
    {[](const LayerTime& l, std::string_view) { return has_16_bits(l); },
     "16-bit integers: --scheme mixed keeps them only where 8 bits cost accuracy"},
    {[](const LayerTime& l, std::string_view) {
       return any_of(l, {"Gemm", "MatMul", "FusedMatMul"}) && is_float(l);
     },
     "a dense layer in float: integers halve or quarter it (sluice quantize --scheme w8a8)"},
    {[](const LayerTime& l, std::string_view) { return has_few_channels(l); },
     "fewer than 8 channels leave vector units idle: start with a larger stride and more channels"},
    {[](const LayerTime& l, std::string_view) { return is_wide_kernel(l); },
     "a dense convolution: a depthwise one with a 1x1 behind it needs a fraction of its products; retrain "
     "with "
     "those"},
    {[](const LayerTime& l, std::string_view backend) { return backend == "cpu" && is_float(l); },
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
