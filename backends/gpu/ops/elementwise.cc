// Elementwise operators: checks, chains, and the general broadcast of two full operands.
#include <algorithm>
#include <bit>
#include <map>

#include "backends/gpu/ir/chains.h"
#include "backends/gpu/kernels/opcodes.h"
#include "backends/gpu/ops/conv_weights.h"
#include "backends/gpu/ops/lowering.h"

namespace sluice::gpu {
namespace {

// Exact in float32.
bool is_small(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
    case DType::kFloat16:
    case DType::kUint8:
    case DType::kInt8:
    case DType::kUint16:
    case DType::kInt16:
    case DType::kBool:
      return true;
    default:
      return false;
  }
}

// An operand of shape [1 or n, C, 1, ..] or a suffix of it: one number per channel in the packed layout too.
bool is_per_channel(const Value& operand, const Dims& out) {
  const std::size_t rank = operand.dims.size();
  if (rank > out.size() || rank + 1 < out.size()) return false;
  const Dims aligned = rank == out.size() ? operand.dims : [&] {
    Dims d = {1};
    d.insert(d.end(), operand.dims.begin(), operand.dims.end());
    return d;
  }();
  const bool whole = rank == out.size() || operand.constant();
  const bool images = aligned[0] == 1 || (aligned[0] == out[0] && !operand.constant());
  return whole && images && aligned[1] == out[1] && product(std::span(aligned).subspan(2)) == 1;
}

bool same_place(const Value& operand, const Dims& out) { return operand.count() == product(out); }

// Whether the packed layout is the better one: something full is packed and everything else can follow.
bool choose_packed(const Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  const Dims& out = graph.output(node).dims;
  if (out.size() < 2) return false;
  bool any = builder.has_packed(node.inputs[0]);
  if (graph.input(node, 0).dims != out) return false;
  for (const ChainStep& step : node.steps) {
    if (step.operand == kNone) continue;
    const Value& operand = graph.value(step.operand);
    if (same_place(operand, out)) {
      if (operand.dims != out) return false;
      any = any || builder.has_packed(step.operand);
    } else if (!is_per_channel(operand, out)) {
      return false;
    }
  }
  return any;
}

std::int32_t bits(float value) { return std::bit_cast<std::int32_t>(value); }

class ChainWriter {
 public:
  ChainWriter(Builder& builder, const Node& node, bool packed)
      : builder_(builder), node_(node), out_(builder.graph().output(node).dims), packed_(packed) {}

  void add(const ChainStep& step) {
    if (step.operand == kNone) {
      put({step.op, step.op >= OP_ADD ? FROM_PARAMETER : FROM_NOWHERE, bits(step.a), bits(step.b), 0, 1, 1,
           0});
      return;
    }
    const Value& operand = builder_.graph().value(step.operand);
    if (same_place(operand, out_)) {
      const SlotId slot = packed_ ? builder_.packed(step.operand) : builder_.plain(step.operand);
      put({step.op, FROM_SAME_PLACE, 0, 0, index_of(slot), 1, 1, 0});
      return;
    }
    const Planes planes = planes_of(out_);
    if (!packed_) {
      const Cycle cycle = cycle_of(operand.dims, out_).value_or(Cycle{});
      put({step.op, FROM_CYCLE, 0, 0, index_of(builder_.plain(step.operand)), narrow(cycle.inner),
           narrow(cycle.count), 0});
      return;
    }
    const bool per_image = operand.dims.size() == out_.size() && operand.dims[0] == out_[0] && out_[0] > 1;
    const SlotId slot = operand.constant() ? packed_constant(step.operand) : builder_.packed(step.operand);
    put({step.op, FROM_CYCLE, 0, 0, index_of(slot), narrow(planes.pixels),
         narrow(planes.groups() * (per_image ? planes.n : 1)), 0});
  }

  void launch() {
    const Planes planes = planes_of(out_);
    const SlotId x = packed_ ? builder_.packed(node_.inputs[0]) : builder_.plain(node_.inputs[0]);
    const SlotId y = packed_ ? builder_.make_packed(node_.outputs[0]) : builder_.make_plain(node_.outputs[0]);
    const std::int64_t elements = packed_ ? planes.n * planes.groups() * 4 * planes.pixels : product(out_);
    const std::int64_t vectors = (elements + builder_.lanes() - 1) / builder_.lanes();
    const bool padding = packed_ && planes.channels % 4 != 0;
    while (slots_.size() < kMostOperands) slots_.push_back(builder_.nothing());
    builder_.launch("chain", "chain",
                    {Reads{x}, Writes{y}, Reads{builder_.integers(steps_)},
                     narrow(static_cast<std::int64_t>(steps_.size() / 8)), Reads{slots_[0]}, Reads{slots_[1]},
                     Reads{slots_[2]}, narrow(vectors), packed_ ? 1 : 0, narrow(planes.pixels),
                     narrow(padding ? planes.channels : 0)},
                    {vectors});
  }

 private:
  // One number per channel lies in groups of four as it is.
  SlotId packed_constant(ValueId id) {
    const auto [entry, fresh] = constants_.try_emplace(id, -1);
    if (fresh)
      entry->second =
          builder_.floats(constant_floats(builder_.graph().value(id)).value_or(std::vector<float>{}));
    return entry->second;
  }
  void put(std::initializer_list<std::int32_t> words) { steps_.insert(steps_.end(), words); }
  std::int32_t index_of(SlotId slot) {
    const auto found = std::ranges::find(slots_, slot);
    if (found != slots_.end()) return static_cast<std::int32_t>(found - slots_.begin());
    slots_.push_back(slot);
    return static_cast<std::int32_t>(slots_.size()) - 1;
  }

  Builder& builder_;
  const Node& node_;
  const Dims& out_;
  const bool packed_;
  std::vector<std::int32_t> steps_;
  std::vector<SlotId> slots_;
  std::map<ValueId, SlotId> constants_;
};

Dims broadcast_shape(const Dims& a, const Dims& b) {
  Dims out(std::max(a.size(), b.size()), 1);
  for (const Dims* dims : {&a, &b})
    for (std::size_t i = 0; i < dims->size(); ++i) {
      std::int64_t& size = out[out.size() - dims->size() + i];
      size = std::max(size, (*dims)[i]);
    }
  return out;
}

// Six axes of `out`, and the strides of `operand` along them (0: repeated).
void append_strides(std::vector<std::int32_t>& words, const Dims& operand, const Dims& out) {
  const Dims strides = dense_strides(operand);
  for (std::size_t i = 0; i < 6; ++i) {
    const std::size_t from_end = 6 - i;
    const bool there = from_end <= operand.size() && operand[operand.size() - from_end] != 1;
    words.push_back(there && from_end <= out.size() ? narrow(strides[operand.size() - from_end]) : 0);
  }
}

void launch_broadcast(Builder& builder, SlotId a, const Dims& a_dims, SlotId b, const Dims& b_dims, SlotId y,
                      int op) {
  const Dims out = broadcast_shape(a_dims, b_dims);
  std::vector<std::int32_t> words;
  for (std::size_t i = 0; i < 6; ++i) {
    const std::size_t from_end = 6 - i;
    words.push_back(from_end <= out.size() ? narrow(out[out.size() - from_end]) : 1);
  }
  append_strides(words, a_dims, out);
  append_strides(words, b_dims, out);
  builder.launch("chain", "broadcast",
                 {Reads{a}, Reads{b}, Writes{y}, Reads{builder.integers(words)}, narrow(product(out)), op},
                 {product(out)});
}

int code_of(const std::string& op) {
  if (op == "Add" || op == "Sum") return OP_ADD;
  if (op == "Sub") return OP_SUB;
  if (op == "Mul") return OP_MUL;
  if (op == "Div") return OP_DIV;
  if (op == "Pow") return OP_POW;
  if (op == "Min") return OP_MIN;
  if (op == "Max") return OP_MAX;
  return OP_PRELU;
}

}  // namespace

std::string check_unary(const Graph&, const Node&) { return {}; }

std::string check_binary(const Graph& graph, const Node& node) {
  if (graph.output(node).dims.size() > 6) return "broadcasts over more than 6 dimensions";
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i) || !graph.input(node, i).known) return "has an operand whose shape is not fixed";
    const Value& operand = graph.input(node, i);
    const bool floats = operand.dtype == DType::kFloat32 || operand.dtype == DType::kFloat16;
    if (!floats && !(operand.constant() && constant_floats(operand)))
      return "has an operand of " + std::string(name_of(operand.dtype));
  }
  return {};
}

std::string check_clip(const Graph& graph, const Node& node) {
  for (std::size_t i = 1; i < node.inputs.size(); ++i)
    if (node.has_input(i) && (!graph.input(node, i).known || graph.input(node, i).count() != 1))
      return "has limits that are no scalars";
  return {};
}

std::string check_batch_norm(const Graph& graph, const Node& node) {
  if (node.integer("training_mode", 0) != 0) return "is in training mode";
  if (graph.input(node, 0).dims.size() < 2) return "has no channels";
  for (std::size_t i = 1; i < 5; ++i)
    if (!node.has_input(i) || !graph.input(node, i).known) return "has parameters whose shape is not fixed";
  for (std::size_t i = 1; i < 5; ++i)
    if (graph.input(node, i).count() != graph.input(node, 0).dims[1])
      return "has parameters that are not one per channel";
  for (std::size_t i = 1; i < node.outputs.size(); ++i)
    if (node.outputs[i] != kNone) return "gives statistics too";
  return {};
}

std::string check_quantize(const Graph& graph, const Node& node) {
  const Value& x = graph.input(node, 0);
  const Value& y = graph.output(node);
  const bool known_here = x.constant() && constant_floats(x);  // int32 biases: computed once, in float
  if ((!is_small(x.dtype) && !known_here) || !is_small(y.dtype))
    return "works on " + std::string(name_of(is_small(x.dtype) ? y.dtype : x.dtype));
  if (node.integer("block_size", 0) != 0) return "is blocked";
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.has_input(i)) continue;
    const Value& parameter = graph.input(node, i);
    if (!parameter.known || parameter.dims.size() > 1 || !is_small(parameter.dtype))
      return "has parameters that are neither scalars nor vectors";
  }
  if (x.dims.empty() && graph.input(node, 1).dims.size() == 1) return "has a vector of scales for a scalar";
  return {};
}

std::string check_cast(const Graph& graph, const Node& node) {
  for (const DType dtype : {graph.input(node, 0).dtype, graph.output(node).dtype})
    if (!is_small(dtype))
      return "converts " + std::string(name_of(dtype)) + ", which float32 cannot hold exactly";
  return {};
}

Status lower_chain(Builder& builder, const Node& node) {
  const bool packed = choose_packed(builder, node);
  if (packed && is_scaling(builder.graph(), node) && lower_scaling(builder, node)) return {};
  ChainWriter writer(builder, node, packed);
  for (const ChainStep& step : node.steps) writer.add(step);
  writer.launch();
  return {};
}

Status lower_broadcast(Builder& builder, const Node& node) {
  const Graph& graph = builder.graph();
  SlotId left = builder.plain(node.inputs[0]);
  Dims dims = graph.input(node, 0).dims;
  for (std::size_t i = 1; i < node.inputs.size(); ++i) {
    const Dims& right = graph.input(node, i).dims;
    const SlotId operand = builder.plain(node.inputs[i]);
    const Dims out = broadcast_shape(dims, right);
    const bool last = i + 1 == node.inputs.size();
    const SlotId y = last ? builder.make_plain(node.outputs[0]) : builder.scratch(product(out));
    launch_broadcast(builder, left, dims, operand, right, y, code_of(node.op));
    left = y;
    dims = out;
  }
  return {};
}

}  // namespace sluice::gpu
