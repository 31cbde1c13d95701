#include "quantize/plan.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include "framework/core/suggest.h"
#include "quantize/graph_index.h"
#include "quantize/groups.h"
#include "quantize/operators.h"
#include "quantize/tensor_data.h"
#include "quantize/weights.h"

namespace sluice::quantize {
namespace {

using Kind = OperatorKind;

class Planner {
 public:
  Planner(const pb::GraphProto& graph, const Statistics& statistics, const Scheme& scheme)
      : graph_(graph), statistics_(statistics), scheme_(scheme), index_(graph), groups_(graph, index_) {}

  std::string types() const {
    std::set<std::string> names;
    for (const pb::NodeProto& node : graph_.node()) names.insert(node.op_type());
    const std::vector<std::string> list(names.begin(), names.end());
    return list.empty() ? "there are none" : comma_list(list);
  }

  Result<QuantPlan> run() {
    choose_bits();
    if (std::none_of(plan_.bits.begin(), plan_.bits.end(), [](int b) { return b > 0; }))
      return unavailable("none of the model's operators has an integer form that the NPU takes: " + types());
    SLUICE_RETURN_IF_ERROR(encode_activations());
    convert_between_widths();
    SLUICE_RETURN_IF_ERROR(encode_constants());
    return std::move(plan_);
  }

 private:
  bool is_data(const pb::NodeProto& node, int input) const { return input < rule_of(node).data_inputs; }
  bool touches_floats(const pb::NodeProto& node) const;
  int bits_of_operator(const pb::NodeProto& node) const;
  const Encoding* given_activation(const std::string& tensor) const;
  void choose_bits();
  int bits_of_group(const std::string& root) const;
  Status encode_activations();
  Result<Encoding> encode(const std::string& root, int bits) const;
  Result<Range> range_of(const std::string& tensor, int bits) const;
  void convert_between_widths();
  Status encode_constants();
  Status encode_layer(int n, Kind kind);
  Status encode_plain_constant(int n, int input);
  const Encoding* given_parameter(int n, int input) const;

  const pb::GraphProto& graph_;
  const Statistics& statistics_;
  const Scheme& scheme_;
  const GraphIndex index_;
  const Groups groups_;
  QuantPlan plan_;
};

bool Planner::touches_floats(const pb::NodeProto& node) const {
  const auto is_float = [this](const std::string& name) { return index_.is_float_activation(name); };
  return std::any_of(node.output().begin(), node.output().end(), is_float) ||
         (node.input_size() > 0 && is_float(node.input(0)));
}

// What the user gave for its result, for itself, or for all.
int Planner::bits_of_operator(const pb::NodeProto& node) const {
  for (const std::string& output : node.output()) {
    if (const Encoding* const given = given_activation(output)) return given->bits;
  }
  const auto own = scheme_.operator_bits.find(node.name());
  return std::min(own == scheme_.operator_bits.end() ? scheme_.bits : own->second, most_bits(node));
}

const Encoding* Planner::given_activation(const std::string& tensor) const {
  for (const std::string& member : groups_.members(groups_.root(tensor))) {
    const auto given = scheme_.activations.find(member);
    if (given != scheme_.activations.end()) return &given->second;
  }
  return nullptr;
}

void Planner::choose_bits() {
  for (const pb::NodeProto& node : graph_.node()) {
    const bool quantised = rule_of(node).kind != Kind::kFloat && touches_floats(node);
    plan_.bits.push_back(quantised ? bits_of_operator(node) : 0);
  }
  for (int n = 0; n < graph_.node_size(); ++n) {
    if (plan_.bits[static_cast<std::size_t>(n)] > 0 && groups_.moves(n))
      plan_.bits[static_cast<std::size_t>(n)] = bits_of_group(groups_.root(graph_.node(n).input(0)));
  }
}

// A group is written by its root's maker. A graph input, or what a float operator makes, is written as wide
// as any reader wants it.
int Planner::bits_of_group(const std::string& root) const {
  if (const Encoding* const given = given_activation(root)) return given->bits;
  const int maker = index_.producer(root);
  if (maker >= 0 && plan_.bits[static_cast<std::size_t>(maker)] > 0)
    return plan_.bits[static_cast<std::size_t>(maker)];
  int bits = 0;
  for (const std::string& member : groups_.members(root)) {
    for (const Use& use : index_.uses(member)) {
      if (!groups_.moves(use.node)) bits = std::max(bits, plan_.bits[static_cast<std::size_t>(use.node)]);
    }
  }
  return bits > 0 ? bits : scheme_.bits;
}

Result<Range> Planner::range_of(const std::string& tensor, int bits) const {
  const auto found = statistics_.tensors.find(tensor);
  if (found == statistics_.tensors.end() || found->second.count() == 0)
    return unavailable("no values are known of tensor '" + tensor + "'");
  return choose_range(found->second, scheme_.range, bits);
}

Result<Encoding> Planner::encode(const std::string& root, int bits) const {
  if (const Encoding* const given = given_activation(root)) return *given;
  const int maker = index_.producer(root);
  const std::string type = maker >= 0 ? graph_.node(maker).op_type() : "";
  if (type == "Sigmoid") return sigmoid_encoding(bits);
  if (type == "Tanh") return tanh_encoding(bits);
  if (type == "Softmax") return asymmetric({0.0f, 1.0f}, bits);
  SLUICE_ASSIGN(Range range, range_of(root, bits));
  for (const std::string& member : groups_.members(root)) {
    const int mover = index_.producer(member);
    if (mover < 0 || member == root || !leaves_range(graph_.node(mover))) continue;
    SLUICE_ASSIGN(const Range own, range_of(member, bits));
    range = {std::min(range.min, own.min), std::max(range.max, own.max)};
  }
  return asymmetric(range, bits);
}

Status Planner::encode_activations() {
  for (int n = 0; n < graph_.node_size(); ++n) {
    if (plan_.bits[static_cast<std::size_t>(n)] == 0) continue;
    const pb::NodeProto& node = graph_.node(n);
    std::vector<std::string> tensors(node.output().begin(), node.output().end());
    for (int i = 0; i < node.input_size() && is_data(node, i); ++i) tensors.push_back(node.input(i));
    for (const std::string& tensor : tensors) {
      if (!index_.is_float_activation(tensor) || plan_.activations.contains(tensor)) continue;
      const std::string& root = groups_.root(tensor);
      SLUICE_ASSIGN(const Encoding encoding, encode(root, bits_of_group(root)));
      for (const std::string& member : groups_.members(root)) plan_.activations[member] = encoding;
    }
  }
  return {};
}

void Planner::convert_between_widths() {
  for (const auto& [tensor, encoding] : plan_.activations) {
    for (const Use& use : index_.uses(tensor)) {
      const int bits = plan_.bits[static_cast<std::size_t>(use.node)];
      if (bits == 0 || bits == encoding.bits || !is_data(graph_.node(use.node), use.input)) continue;
      plan_.converted[tensor] = asymmetric({encoding.minimum(), encoding.maximum()}, bits);
    }
  }
}

const Encoding* Planner::given_parameter(int n, int input) const {
  const auto given = scheme_.parameters.find(graph_.node(n).input(input));
  return given == scheme_.parameters.end() ? nullptr : &given->second;
}

Status Planner::encode_plain_constant(int n, int input) {
  const pb::TensorProto* const tensor = index_.initializer(graph_.node(n).input(input));
  if (!tensor || tensor->data_type() != pb::TensorProto::FLOAT) return {};
  if (const Encoding* const given = given_parameter(n, input)) {
    plan_.constants.push_back({n, input, *given});
    return {};
  }
  SLUICE_ASSIGN(const std::vector<float> values, floats_of(*tensor));
  if (values.empty()) return {};
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  if (!std::isfinite(*min) || !std::isfinite(*max))
    return unavailable("constant '" + tensor->name() + "' holds NaN or infinity");
  plan_.constants.push_back({n, input, asymmetric({*min, *max}, plan_.bits[static_cast<std::size_t>(n)])});
  return {};
}

// Weights (input 1) and bias (input 2) of a layer.
Status Planner::encode_layer(int n, Kind kind) {
  const pb::NodeProto& node = graph_.node(n);
  const pb::TensorProto* const weights = node.input_size() > 1 ? index_.initializer(node.input(1)) : nullptr;
  const pb::TensorProto* const bias = node.input_size() > 2 ? index_.initializer(node.input(2)) : nullptr;
  const Encoding* const input = plan_.read_by(node.input(0), n);
  const Encoding* scales = weights ? nullptr : plan_.read_by(node.input(1), n);
  if (weights) {
    const bool per_channel = scheme_.per_channel && (kind == Kind::kConv || kind == Kind::kGemm);
    Encoding encoding;
    if (const Encoding* const given = given_parameter(n, 1)) {
      encoding = *given;
    } else {
      SLUICE_ASSIGN(encoding, node.op_type() == "LayerNormalization"
                                  ? encode_scale(*weights)
                                  : encode_weights(*weights, per_channel ? channel_axis(node) : -1));
      if (bias && input) SLUICE_RETURN_IF_ERROR(make_room_for_bias(encoding, *bias, input->scale[0]));
    }
    plan_.constants.push_back({n, 1, std::move(encoding)});
    scales = &plan_.constants.back().encoding;
  }
  if (!bias || !input || !scales) return {};
  Encoding encoding{.bits = 32, .is_signed = true, .axis = scales->axis < 0 ? -1 : 0};
  for (const float scale : scales->scale) encoding.scale.push_back(scale * input->scale[0]);
  encoding.zero_point.assign(encoding.scale.size(), 0);
  plan_.constants.push_back({n, 2, std::move(encoding)});
  return {};
}

Status Planner::encode_constants() {
  for (int n = 0; n < graph_.node_size(); ++n) {
    if (plan_.bits[static_cast<std::size_t>(n)] == 0) continue;
    const pb::NodeProto& node = graph_.node(n);
    const Kind kind = rule_of(node).kind;
    if (kind == Kind::kConv || kind == Kind::kGemm || kind == Kind::kMatMul || kind == Kind::kNormalise) {
      SLUICE_RETURN_IF_ERROR(encode_layer(n, kind));
      SLUICE_RETURN_IF_ERROR(encode_plain_constant(n, 0));
      continue;
    }
    for (int i = 0; i < node.input_size() && is_data(node, i); ++i)
      SLUICE_RETURN_IF_ERROR(encode_plain_constant(n, i));
  }
  return {};
}

// The bounds of a Relu or Clip; none when they are no constants.
std::optional<Range> bounds_of(const pb::NodeProto& node, const GraphIndex& index) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  if (node.op_type() == "Relu") return Range{0.0f, kInfinity};
  Range out{-kInfinity, kInfinity};
  for (int i = 1; i <= 2; ++i) {
    if (node.input_size() <= i || node.input(i).empty()) continue;
    const pb::TensorProto* const bound = index.initializer(node.input(i));
    const auto values = bound ? floats_of(*bound) : Result<std::vector<float>>(invalid("no constant"));
    if (!values.ok() || values->size() != 1) return std::nullopt;
    (i == 1 ? out.min : out.max) = values->front();
  }
  return out;
}

// Its encoding is its own to choose: not shared with its input, not fixed.
bool has_free_encoding(const pb::NodeProto& node) {
  const Kind kind = rule_of(node).kind;
  const std::string& type = node.op_type();
  return kind != Kind::kFloat && kind != Kind::kSame && type != "Sigmoid" && type != "Tanh" &&
         type != "Softmax";
}

bool can_absorb(const pb::GraphProto& graph, const GraphIndex& index, const pb::NodeProto& clip) {
  const auto bounds = bounds_of(clip, index);
  // Every encoding contains zero, so bounds on one side of it would be lost.
  if (!bounds || bounds->min > 0 || bounds->max < 0) return false;
  const int maker = index.producer(clip.input(0));
  return maker >= 0 && has_free_encoding(graph.node(maker)) && index.uses(clip.input(0)).size() == 1 &&
         !index.is_output(clip.input(0));
}

}  // namespace

const Encoding* QuantPlan::read_by(const std::string& tensor, int n) const {
  const auto written = activations.find(tensor);
  if (written == activations.end()) return nullptr;
  if (written->second.bits == bits[static_cast<std::size_t>(n)]) return &written->second;
  const auto other = converted.find(tensor);
  return other == converted.end() ? &written->second : &other->second;
}

void absorb_clips(pb::GraphProto& graph, const std::set<std::string>& kept) {
  for (int n = 0; n < graph.node_size();) {
    const pb::NodeProto& clip = graph.node(n);
    const GraphIndex index(graph);
    if (rule_of(clip).kind != Kind::kClip || kept.contains(clip.output(0)) ||
        !can_absorb(graph, index, clip)) {
      ++n;
      continue;
    }
    pb::NodeProto& maker = *graph.mutable_node(index.producer(clip.input(0)));
    std::replace(maker.mutable_output()->begin(), maker.mutable_output()->end(), std::string(clip.input(0)),
                 std::string(clip.output(0)));
    graph.mutable_node()->DeleteSubrange(n, 1);
  }
}

Result<QuantPlan> make_plan(const pb::GraphProto& graph, const Statistics& statistics, const Scheme& scheme) {
  return Planner(graph, statistics, scheme).run();
}

}  // namespace sluice::quantize
