#include "backends/gpu/ir/fuse.h"

#include <algorithm>
#include <set>

#include "backends/gpu/ir/chains.h"
#include "backends/gpu/kernels/opcodes.h"
#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

class Fuser {
 public:
  explicit Fuser(Graph& graph) : graph_(graph) {}

  void run() {
    spread();
    index();
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i) {
      if (graph_.nodes[i].dead || graph_.nodes[i].op != "Chain") continue;
      gate_by_chain(graph_.nodes[i]);
      while (join_chain(i)) {
      }
      recognise(graph_.nodes[i]);
      while (join_chain(i)) {  // the recognised operation reads its head once: more may join now
        recognise(graph_.nodes[i]);
      }
      finish_producer(i);
    }
    for (Node& node : graph_.nodes) take_transpose(node);
    remove_unread();
  }

 private:
  static constexpr std::size_t kNoNode = static_cast<std::size_t>(-1);

  // A free place before each node, for what is moved there.
  void spread() {
    std::vector<Node> nodes(2 * graph_.nodes.size());
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (i % 2 == 1)
        nodes[i] = std::move(graph_.nodes[i / 2]);
      else
        nodes[i].dead = true;
    }
    graph_.nodes = std::move(nodes);
  }

  void index() {
    producer_.assign(graph_.values.size(), kNoNode);
    for (std::size_t i = 0; i < graph_.nodes.size(); ++i)
      for (const ValueId id : graph_.nodes[i].outputs)
        if (id != kNone) producer_[static_cast<std::size_t>(id)] = i;
  }
  std::size_t producer(ValueId id) const { return producer_[static_cast<std::size_t>(id)]; }

  int reads_of(ValueId id) const {
    int count = static_cast<int>(std::ranges::count(graph_.outputs, id));
    for (const Node& node : graph_.nodes) {
      if (node.dead) continue;
      count += static_cast<int>(std::ranges::count(node.inputs, id));
      count += static_cast<int>(std::ranges::count(node.steps, id, &ChainStep::operand));
    }
    return count;
  }

  static std::size_t operands_of(const std::vector<ChainStep>& steps) {
    std::set<ValueId> distinct;
    for (const ChainStep& step : steps)
      if (step.operand != kNone) distinct.insert(step.operand);
    return distinct.size();
  }

  // Constants per channel in front, such as those of a normalisation and a scale behind it, as one factor and
  // one addend. As they are where that would make infinite ones.
  std::vector<ChainStep> with_joined_constants(const Node& node, std::vector<ChainStep> steps) {
    const Dims& out = graph_.output(node).dims;
    const auto end =
        out.size() < 2
            ? steps.begin()
            : std::ranges::find_if(
                  steps, [&](const ChainStep& step) { return !is_channel_constant(graph_, step, out); });
    if (end == steps.begin()) return steps;
    Node front = node;
    front.steps.assign(steps.begin(), end);
    const auto joined = fold_scaling(graph_, front);
    if (!joined) return steps;
    Dims dims(out.size() - 1, 1);
    dims[0] = out[1];
    const std::span addends = std::span(joined->bias).first(static_cast<std::size_t>(out[1]));
    const ValueId factor = add_constant(graph_, node.name + ".factor", dims, joined->weights);
    const ValueId addend = add_constant(graph_, node.name + ".addend", dims, addends);
    std::vector<ChainStep> out_steps = {{.op = OP_MUL, .operand = factor}, {.op = OP_ADD, .operand = addend}};
    out_steps.insert(out_steps.end(), end, steps.end());
    return out_steps;
  }

  // The chain before this one, when only this one reads it.
  bool join_chain(std::size_t at) {
    Node& node = graph_.nodes[at];
    const ValueId head = node.inputs[0];
    const std::size_t before = producer(head);
    if (before == kNoNode || graph_.nodes[before].op != "Chain" || reads_of(head) != 1) return false;
    Node& first = graph_.nodes[before];
    if (graph_.value(head).count() != graph_.output(node).count()) return false;
    // Operands broadcast against the chain's shape: it may only differ by leading ones.
    for (const ChainStep& step : first.steps)
      if (step.operand != kNone && !cycle_of(graph_.value(step.operand).dims, graph_.output(node).dims))
        return false;
    std::vector<ChainStep> steps = first.steps;
    steps.insert(steps.end(), node.steps.begin(), node.steps.end());
    if (operands_of(steps) > kMostOperands) steps = with_joined_constants(node, std::move(steps));
    if (operands_of(steps) > kMostOperands) return false;
    node.steps = std::move(steps);
    node.inputs[0] = first.inputs[0];
    first.dead = true;
    return true;
  }

  // x clip(a x + b, 0, 1) and x sigmoid(x), written as two operators; also clip(x + 3, 0, 6) x / 6.
  void recognise(Node& node) const {
    auto& steps = node.steps;
    const auto multiplies_head = [&](std::size_t i) {
      return i < steps.size() && steps[i].op == OP_MUL && steps[i].operand == node.inputs[0];
    };
    if (steps.size() >= 2 && multiplies_head(1) &&
        (steps[0].op == OP_SIGMOID || steps[0].op == OP_HARD_SIGMOID)) {
      steps[0].op = steps[0].op == OP_SIGMOID ? OP_SILU : OP_HARD_SWISH;
      steps.erase(steps.begin() + 1);
      return;
    }
    const auto constant = [&](std::size_t i, int op, float a) {
      return i < steps.size() && steps[i].op == op && steps[i].operand == kNone && steps[i].a == a;
    };
    const bool clipped = constant(0, OP_ADD, 3) && constant(1, OP_CLIP, 0) && steps[1].b == 6;
    if (!clipped) return;
    const bool before = multiplies_head(2) && (constant(3, OP_DIV, 6) || constant(3, OP_MUL, 1.0F / 6));
    const bool after = multiplies_head(3) && (constant(2, OP_DIV, 6) || constant(2, OP_MUL, 1.0F / 6));
    if (!before && !after) return;
    steps.erase(steps.begin() + 1, steps.begin() + 4);
    steps[0] = {.op = OP_HARD_SWISH, .a = 1.0F / 6, .b = 0.5F};
  }

  // x * gate(x): the gate's chain is the side to join, both read the same x.
  void gate_by_chain(Node& node) const {
    if (node.steps.size() != 1 || node.steps[0].op != OP_MUL || node.steps[0].operand == kNone) return;
    const std::size_t at = producer(node.steps[0].operand);
    if (at == kNoNode || graph_.nodes[at].op != "Chain" || graph_.nodes[at].inputs[0] != node.inputs[0])
      return;
    if (graph_.value(node.inputs[0]).dims == graph_.value(node.steps[0].operand).dims)
      std::swap(node.inputs[0], node.steps[0].operand);
  }

  static bool is_convolution(const Node& node) { return node.op == "Conv" || node.op == "ConvTranspose"; }

  // Behind an activation only constants for all channels fit, and only in a convolution.
  static bool is_closed(const Node& node) {
    return std::ranges::any_of(
        node.steps, [](const ChainStep& step) { return is_finishing(step.op) || step.op == OP_PRELU; });
  }

  // Whether the node that makes `value` can do `step` behind it.
  bool can_finish(std::size_t at, ValueId value, const ChainStep& step) const {
    if (at == kNoNode) return false;
    const Node& node = graph_.nodes[at];
    if (node.dead || reads_of(value) != 1) return false;
    const bool closed = is_closed(node);
    if (is_convolution(node))
      return (!closed || is_scalar_constant(graph_, step)) && conv_can_finish(graph_, node);
    return !closed && (node.op == "MatMul" || node.op == "Gemm");
  }

  // A tensor of the same shape, or of fewer channels that somebody padded with zeros.
  ValueId residual_behind(ValueId id, const Dims& out) const {
    const Value& value = graph_.value(id);
    if (value.constant() || value.dims.size() != out.size()) return kNone;
    if (value.dims != out) return kNone;
    const std::size_t at = producer(id);
    if (at == kNoNode) return id;
    const Node& node = graph_.nodes[at];
    if (adds_zero_channels(node)) return node.inputs[0];
    return id;
  }

  bool adds_zero_channels(const Node& node) const {
    if (node.op == "Concat" && node.inputs.size() == 2 && node.integer("axis", 0) == 1) {
      const auto zeros = constant_floats(graph_.input(node, 1));
      return zeros && std::ranges::all_of(*zeros, [](float v) { return v == 0; }) &&
             !graph_.input(node, 0).constant();
    }
    if (node.op != "Pad" || node.text("mode", "constant") != "constant" || node.has_input(3)) return false;
    const auto value = node.has_input(2) ? constant_floats(graph_.input(node, 2)) : std::vector<float>{0};
    const auto pads =
        node.has_input(1) ? constant_integers(graph_.input(node, 1)) : node.integers("pads", {});
    if (!value || (*value)[0] != 0 || !pads) return false;
    for (std::size_t i = 0; i < pads->size(); ++i)
      if ((*pads)[i] != 0 && i != pads->size() / 2 + 1) return false;
    return pads->size() == 2 * graph_.input(node, 0).dims.size() && (*pads)[pads->size() / 2 + 1] > 0;
  }

  // Puts the longest prefix of the chain that its producer can do behind the producer, which moves to the
  // chain's place (operands of the chain may come after the producer).
  void finish_producer(std::size_t at) {
    Node& chain = graph_.nodes[at];
    if (chain.dead || chain.steps.empty()) return;
    std::size_t before = producer(chain.inputs[0]);
    if (!can_finish(before, chain.inputs[0], chain.steps[0]) && !swap_sides(chain, before)) return;
    if (graph_.value(chain.inputs[0]).dims != graph_.output(chain).dims) return;
    Node fused = graph_.nodes[before];
    const std::size_t taken =
        is_convolution(fused) ? take_for_convolution(chain, fused) : take_for_product(chain, fused);
    if (taken == 0) return;
    graph_.nodes[before].dead = true;
    chain.steps.erase(chain.steps.begin(), chain.steps.begin() + static_cast<std::ptrdiff_t>(taken));
    if (chain.steps.empty()) {
      fused.outputs = chain.outputs;
      producer_[static_cast<std::size_t>(fused.outputs[0])] = at;
      chain = std::move(fused);
      return;
    }
    producer_[static_cast<std::size_t>(fused.outputs[0])] = at - 1;
    graph_.nodes[at - 1] = std::move(fused);  // the rest stays a chain behind it
  }

  // conv + x where the other side of the sum is the convolution.
  bool swap_sides(Node& chain, std::size_t& before) {
    if (chain.steps[0].op != OP_ADD || chain.steps[0].operand == kNone) return false;
    const ValueId other = chain.steps[0].operand;
    const std::size_t at = producer(other);
    if (!can_finish(at, other, chain.steps[0]) ||
        graph_.value(other).dims != graph_.value(chain.inputs[0]).dims)
      return false;
    for (std::size_t i = 1; i < chain.steps.size(); ++i)
      if (chain.steps[i].operand == other || chain.steps[i].operand == chain.inputs[0]) return false;
    std::swap(chain.inputs[0], chain.steps[0].operand);
    before = at;
    return true;
  }

  std::size_t take_for_convolution(const Node& chain, Node& fused) const {
    const Dims& out = graph_.output(chain).dims;
    bool summed = std::ranges::any_of(
        fused.steps, [&](const ChainStep& step) { return !is_channel_constant(graph_, step, out); });
    bool closed = is_closed(fused);
    std::size_t taken = 0;
    for (const ChainStep& step : chain.steps) {
      if (closed) {
        if (!is_scalar_constant(graph_, step)) break;
        fused.steps.push_back(step);
        ++taken;
        continue;
      }
      if (!summed && is_channel_constant(graph_, step, out)) {
        fused.steps.push_back(step);
        ++taken;
        continue;
      }
      const ValueId residual =
          !summed && step.op == OP_ADD && step.operand != kNone ? residual_behind(step.operand, out) : kNone;
      if (residual != kNone) {
        fused.steps.push_back({.op = OP_ADD, .operand = residual});
        summed = true;
        ++taken;
        continue;
      }
      const bool slope = step.op == OP_PRELU && (step.operand == kNone || is_slope(step, out));
      if (!is_finishing(step.op) && !slope) break;
      closed = true;
      fused.steps.push_back(step);
      ++taken;
    }
    return taken;
  }

  bool is_slope(const ChainStep& step, const Dims& out) const {
    return is_channel_constant(graph_, {.op = OP_MUL, .operand = step.operand}, out);
  }

  std::size_t take_for_product(const Node& chain, Node& fused) const {
    const std::int64_t n = graph_.output(chain).dims.empty() ? 1 : graph_.output(chain).dims.back();
    const bool matrices = graph_.input(fused, 0).dims.size() >= 2 && graph_.input(fused, 1).dims.size() >= 2;
    std::size_t taken = 0;
    for (const ChainStep& step : chain.steps) {
      if (step.op == OP_ADD && step.operand != kNone && matrices) {
        const Value& operand = graph_.value(step.operand);
        const bool column =
            operand.constant() && operand.count() == n && !operand.dims.empty() && operand.dims.back() == n;
        if (!column || fused.op != "MatMul") break;
        fused.steps.push_back(step);
        ++taken;
        continue;
      }
      if (is_finishing(step.op)) {
        fused.steps.push_back(step);
        ++taken;
      }
      break;
    }
    return taken;
  }

  // NHWC -> NCHW before a first layer, read by nobody else.
  void take_transpose(Node& node) {
    if (node.dead || node.op != "Conv" || node.inputs.empty()) return;
    const std::size_t before = producer(node.inputs[0]);
    if (before == kNoNode || !conv_is_first_layer(graph_, node)) return;
    Node& transpose = graph_.nodes[before];
    const bool nhwc = transpose.op == "Transpose" && transpose.integers("perm", {}) == Dims{0, 3, 1, 2};
    if (!nhwc || reads_of(node.inputs[0]) != 1) return;
    node.inputs[0] = transpose.inputs[0];
    node.attributes["nhwc_input"] = std::int64_t{1};
  }
  void remove_unread() {
    std::erase_if(graph_.nodes, [](const Node& node) { return node.dead; });
    std::set<ValueId> read(graph_.outputs.begin(), graph_.outputs.end());
    for (std::size_t i = graph_.nodes.size(); i-- > 0;) {
      Node& node = graph_.nodes[i];
      node.dead = std::ranges::none_of(node.outputs, [&](ValueId id) { return read.contains(id); });
      if (node.dead) continue;
      read.insert(node.inputs.begin(), node.inputs.end());
      for (const ChainStep& step : node.steps) read.insert(step.operand);
    }
    std::erase_if(graph_.nodes, [](const Node& node) { return node.dead; });
  }

  Graph& graph_;
  std::vector<std::size_t> producer_;  // by value
};

}  // namespace

void fuse(Graph& graph) { Fuser(graph).run(); }

}  // namespace sluice::gpu
