#include "backends/gpu/ops/conv_weights.h"

#include <array>

#include <algorithm>
#include <cmath>

#include "backends/gpu/kernels/opcodes.h"

namespace sluice::gpu {
namespace {

bool is_factor_or_addend(int op) { return op == OP_MUL || op == OP_ADD || op == OP_SUB || op == OP_DIV; }

// One value per channel from a step's operand or parameter.
std::vector<float> per_channel(const Graph& graph, const ChainStep& step, std::int64_t channels) {
  std::vector<float> values = {step.a};
  if (step.operand != kNone) values = constant_floats(graph.value(step.operand)).value_or(values);
  if (values.size() == 1) values.resize(static_cast<std::size_t>(channels), values[0]);
  return values;
}

// [ic][oc / groups][taps] of a ConvTranspose to [oc][ic / groups][taps].
std::vector<float> transposed(const std::vector<float>& w, std::int64_t ic, std::int64_t oc,
                              std::int64_t groups, std::int64_t taps) {
  std::vector<float> out(w.size());
  const std::int64_t icg = ic / groups;
  const std::int64_t ocg = oc / groups;
  for (std::int64_t g = 0; g < groups; ++g)
    for (std::int64_t i = 0; i < icg; ++i)
      for (std::int64_t o = 0; o < ocg; ++o)
        for (std::int64_t t = 0; t < taps; ++t)
          out[static_cast<std::size_t>(((g * ocg + o) * icg + i) * taps + t)] =
              w[static_cast<std::size_t>(((g * icg + i) * ocg + o) * taps + t)];
  return out;
}

void scale_channels(FoldedWeights& folded, const std::vector<float>& factors) {
  const std::size_t each = folded.weights.size() / factors.size();
  for (std::size_t o = 0; o < factors.size(); ++o) {
    folded.bias[o] *= factors[o];
    for (std::size_t k = 0; k < each; ++k) folded.weights[o * each + k] *= factors[o];
  }
}

void apply_constant(const Graph& graph, const ChainStep& step, std::int64_t oc, FoldedWeights& folded) {
  const std::vector<float> values = per_channel(graph, step, oc);
  if (step.op == OP_AFFINE) {
    scale_channels(folded, std::vector<float>(static_cast<std::size_t>(oc), step.a));
    for (std::size_t o = 0; o < static_cast<std::size_t>(oc); ++o) folded.bias[o] += step.b;
    return;
  }
  if (step.op == OP_MUL || step.op == OP_DIV) {
    std::vector<float> factors = values;
    if (step.op == OP_DIV)
      for (float& factor : factors) factor = 1.0F / factor;
    scale_channels(folded, factors);
    return;
  }
  const float sign = step.op == OP_SUB ? -1.0F : 1.0F;
  for (std::size_t o = 0; o < static_cast<std::size_t>(oc); ++o) folded.bias[o] += sign * values[o];
}

// Behind an activation: with one constant for all channels.
void apply_scalar(const Graph& graph, const ChainStep& step, Epilogue& epilogue) {
  const float value = per_channel(graph, step, 1)[0];
  if (step.op == OP_ADD || step.op == OP_SUB) {
    epilogue.addend += step.op == OP_ADD ? value : -value;
    return;
  }
  const float factor = step.op == OP_DIV ? 1.0F / value : value;
  epilogue.factor *= factor;
  epilogue.addend = epilogue.addend * factor + (step.op == OP_AFFINE ? step.b : 0.0F);
}

void apply_steps(const Graph& graph, const Node& node, std::int64_t oc, FoldedWeights& folded) {
  const Dims& dims = graph.output(node).dims;
  bool summed = false;  // the residual is behind us: constants can no longer go into the weights
  bool activated = false;
  for (const ChainStep& step : node.steps) {
    if (activated) {
      apply_scalar(graph, step, folded.epilogue);
    } else if (!summed && is_channel_constant(graph, step, dims)) {
      apply_constant(graph, step, oc, folded);
    } else if (step.op == OP_ADD && step.operand != kNone) {
      folded.epilogue.residual = step.operand;
      summed = true;
    } else {
      activated = true;
      folded.epilogue.act = step.op;
      folded.epilogue.a = step.a;
      folded.epilogue.b = step.b;
      if (step.op == OP_PRELU) folded.epilogue.slope = per_channel(graph, step, oc);
    }
  }
}

}  // namespace

std::vector<float> pad_to(std::vector<float> values, int multiple) {
  const auto unit = static_cast<std::size_t>(multiple);
  values.resize((values.size() + unit - 1) / unit * unit, 0.0F);
  return values;
}

bool is_finishing(int op) {
  constexpr std::array kFinishing = {OP_RELU,       OP_LEAKY,   OP_CLIP, OP_HARD_SIGMOID,
                                     OP_HARD_SWISH, OP_SIGMOID, OP_SILU};
  return std::ranges::find(kFinishing, op) != kFinishing.end();
}

bool is_scalar_constant(const Graph& graph, const ChainStep& step) {
  if (step.op == OP_AFFINE) return true;
  if (!is_factor_or_addend(step.op)) return false;
  if (step.operand == kNone) return true;
  const Value& operand = graph.value(step.operand);
  return operand.constant() && operand.count() == 1;
}

bool is_channel_constant(const Graph& graph, const ChainStep& step, const Dims& dims) {
  if (is_scalar_constant(graph, step)) return true;
  if (!is_factor_or_addend(step.op)) return false;
  const Value& operand = graph.value(step.operand);
  if (!operand.constant()) return false;
  const std::size_t rank = operand.dims.size();
  const std::size_t channel = dims.size() - 1;  // of the operand's axes, from the end
  return rank >= channel && operand.dims[rank - channel] == dims[1] && operand.count() == dims[1];
}

FoldedWeights fold_weights(const Graph& graph, const Node& node, std::int64_t oc) {
  FoldedWeights folded;
  const Value& weights = graph.input(node, 1);
  folded.weights = constant_floats(weights).value_or(std::vector<float>{});
  if (node.op == "ConvTranspose") {
    const std::int64_t taps = weights.count() / weights.dims[0] / weights.dims[1];
    folded.weights = transposed(folded.weights, weights.dims[0], oc, node.integer("group", 1), taps);
  }
  folded.bias.assign(static_cast<std::size_t>((oc + 3) / 4 * 4), 0.0F);
  if (node.has_input(2))
    std::ranges::copy(constant_floats(graph.input(node, 2)).value_or(std::vector<float>{}),
                      folded.bias.begin());
  apply_steps(graph, node, oc, folded);
  return folded;
}

bool is_scaling(const Graph& graph, const Node& chain) {
  const Dims& dims = graph.output(chain).dims;
  if (dims.size() < 3 || dims.size() > 4 || graph.input(chain, 0).dims != dims) return false;
  const auto& steps = chain.steps;
  std::size_t at = 0;
  bool vectors = false;
  for (; at < steps.size() && is_channel_constant(graph, steps[at], dims); ++at)
    vectors = vectors || (steps[at].operand != kNone && graph.value(steps[at].operand).count() > 1);
  if (at < steps.size() && steps[at].op == OP_ADD && graph.value(steps[at].operand).dims == dims) ++at;
  const auto closes = [&](const ChainStep& step) {
    const bool slope =
        step.op == OP_PRELU && is_channel_constant(graph, {.op = OP_MUL, .operand = step.operand}, dims);
    return slope || is_finishing(step.op);
  };
  if (at < steps.size() && closes(steps[at])) ++at;
  return vectors && at == steps.size();
}

std::optional<FoldedWeights> fold_scaling(const Graph& graph, const Node& chain) {
  const std::int64_t channels = graph.output(chain).dims[1];
  FoldedWeights folded;
  folded.weights.assign(static_cast<std::size_t>(channels), 1.0F);
  folded.bias.assign(static_cast<std::size_t>((channels + 3) / 4 * 4), 0.0F);
  apply_steps(graph, chain, channels, folded);
  const auto finite = [](float value) { return std::isfinite(value); };
  if (!std::ranges::all_of(folded.weights, finite) || !std::ranges::all_of(folded.bias, finite)) return {};
  return folded;
}

Bands pack_bands(const FoldedWeights& folded, std::int64_t oc, std::int64_t ic, std::int64_t groups,
                 std::int64_t taps, int lanes) {
  const std::int64_t in = ic / groups;
  const std::int64_t out = oc / groups;
  Bands bands;
  std::int64_t end = 0;  // in vectors of lanes
  for (std::int64_t from = 0; from < oc; from += lanes) {
    const std::int64_t last = std::min(from + lanes, oc) - 1;
    const std::int64_t first_in = from / out * in / 4;
    const std::int64_t count = ((last / out + 1) * in - 1) / 4 - first_in + 1;
    for (const std::int64_t number : {first_in, count, end})
      bands.table.push_back(static_cast<std::int32_t>(number));
    const std::int64_t start = end;
    end += count * taps * 4;
    bands.weights.resize(static_cast<std::size_t>(end * lanes), 0.0F);
    for (std::int64_t o = from; o <= last; ++o)
      for (std::int64_t i = 0; i < in; ++i)
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t channel = o / out * in + i;
          const std::int64_t at = start + ((channel / 4 - first_in) * taps + t) * 4 + channel % 4;
          bands.weights[static_cast<std::size_t>(at * lanes + o - from)] =
              folded.weights[static_cast<std::size_t>((o * in + i) * taps + t)];
        }
  }
  return bands;
}

std::vector<float> pack_first(const FoldedWeights& folded, std::int64_t oc, std::int64_t ic,
                              std::int64_t taps, int lanes) {
  const std::int64_t vectors = (oc + lanes - 1) / lanes;
  std::vector<float> out(static_cast<std::size_t>(vectors * taps * ic * lanes), 0.0F);
  for (std::int64_t o = 0; o < oc; ++o)
    for (std::int64_t i = 0; i < ic; ++i)
      for (std::int64_t t = 0; t < taps; ++t) {
        const std::int64_t at = (((o / lanes) * taps + t) * ic + i) * lanes + o % lanes;
        out[static_cast<std::size_t>(at)] = folded.weights[static_cast<std::size_t>((o * ic + i) * taps + t)];
      }
  return out;
}

std::vector<float> pack_depthwise(const FoldedWeights& folded, std::int64_t channels, std::int64_t taps) {
  std::vector<float> out(static_cast<std::size_t>((channels + 3) / 4 * taps * 4), 0.0F);
  for (std::int64_t c = 0; c < channels; ++c)
    for (std::int64_t t = 0; t < taps; ++t)
      out[static_cast<std::size_t>(((c / 4) * taps + t) * 4 + c % 4)] =
          folded.weights[static_cast<std::size_t>(c * taps + t)];
  return out;
}

}  // namespace sluice::gpu
