// The part of a model that runs on the GPU, in our own words: what ep/capture.cc makes of ONNX Runtime's
// graph.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "framework/core/tensor.h"

namespace sluice::gpu {

using Dims = std::vector<std::int64_t>;
using ValueId = int;
constexpr ValueId kNone = -1;

struct Value {
  std::string name;
  DType dtype = DType::kFloat32;
  Dims dims;
  bool known = false;               // a tensor of a known element type whose dimensions are all positive
  const std::byte* data = nullptr;  // of a constant; belongs to ONNX Runtime's graph or to `owned`
  std::shared_ptr<const std::vector<std::byte>> owned;

  bool constant() const { return data != nullptr; }
  std::int64_t count() const;  // elements
};

using Attribute =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;

// One step of an elementwise chain: value = op(value, operand). See kernels/opcodes.h.
struct ChainStep {
  int op = 0;
  float a = 0, b = 0;  // parameters; of a binary operation without operand, `a` is the other side
  ValueId operand = kNone;
};

struct Node {
  std::string op, name, domain;
  int since = 1;                         // version of the operator
  std::vector<ValueId> inputs, outputs;  // kNone: absent
  std::map<std::string, Attribute> attributes;
  std::vector<ChainStep> steps;  // applied to the (only) output, after fusion
  bool dead = false;             // fused into another node

  std::int64_t integer(const std::string& attribute, std::int64_t fallback) const;
  float number(const std::string& attribute, float fallback) const;
  std::string text(const std::string& attribute, const std::string& fallback) const;
  std::vector<std::int64_t> integers(const std::string& attribute, std::vector<std::int64_t> fallback) const;
  std::vector<float> numbers(const std::string& attribute) const;
  bool has_input(std::size_t i) const { return i < inputs.size() && inputs[i] != kNone; }
};

struct Graph {
  std::vector<Value> values;
  std::vector<Node> nodes;  // in an order in which they can run
  std::vector<ValueId> inputs, outputs;

  const Value& value(ValueId id) const { return values[static_cast<std::size_t>(id)]; }
  Value& value(ValueId id) { return values[static_cast<std::size_t>(id)]; }
  // Input `i` of `node`; call only when has_input(i).
  const Value& input(const Node& node, std::size_t i) const { return value(node.inputs[i]); }
  const Value& output(const Node& node) const { return value(node.outputs[0]); }
};

std::int64_t product(std::span<const std::int64_t> dims);

// An axis that may count from the end, as an index.
inline std::size_t axis_of(std::int64_t axis, std::size_t rank) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis);
}

// The elements of a constant of type int32 or int64, float32 or float16 (and 8- and 16-bit integers as
// floats). Nothing when it is no constant or of another type.
std::optional<std::vector<std::int64_t>> constant_integers(const Value& value);
std::optional<std::vector<float>> constant_floats(const Value& value);

// A new constant of float32.
ValueId add_constant(Graph& graph, const std::string& name, Dims dims, std::span<const float> elements);

}  // namespace sluice::gpu
