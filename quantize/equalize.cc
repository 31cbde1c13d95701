#include "quantize/equalize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "quantize/graph_index.h"
#include "quantize/tensor_data.h"

namespace sluice::quantize {
namespace {

constexpr std::string_view kEqualisedSuffix = "_equalized";
constexpr int kMostRounds = 40;
constexpr double kSettled = 1e-3;  // largest change of a channel in one round, relative

// The weights of one layer, ready to be scaled along its channels.
struct Weights {
  std::string name, bias;  // tensors; no bias: empty
  std::vector<float> values, bias_values;
  std::vector<std::int64_t> dims;

  // Elements of a block that share a channel along `axis`.
  std::size_t inner(std::size_t axis) const {
    std::size_t out = 1;
    for (std::size_t d = axis + 1; d < dims.size(); ++d) out *= static_cast<std::size_t>(dims[d]);
    return out;
  }
  std::vector<double> ranges(std::size_t axis) const {
    std::vector<double> out(static_cast<std::size_t>(dims[axis]), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      double& range = out[i / inner(axis) % out.size()];
      range = std::max(range, std::abs(static_cast<double>(values[i])));
    }
    return out;
  }
  void scale(std::size_t axis, const std::vector<double>& factors) {
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<float>(values[i] * factors[i / inner(axis) % factors.size()]);
  }
};

// Which dimension of its weights a layer's output or input channels lie along; none: not one number per
// channel.
std::optional<std::size_t> output_axis(const pb::NodeProto& node) {
  if (node.op_type() == "Conv") return 0;
  if (node.op_type() == "ConvTranspose")
    return integer_attribute(node, "group", 1) == 1 ? std::optional<std::size_t>(1) : std::nullopt;
  if (node.op_type() == "Gemm") return integer_attribute(node, "transB", 0) != 0 ? 0 : 1;
  return std::nullopt;
}

std::optional<std::size_t> input_axis(const pb::NodeProto& node, const std::vector<std::int64_t>& dims) {
  const std::int64_t groups = integer_attribute(node, "group", 1);
  if (node.op_type() == "Conv" && groups == 1) return 1;
  if (node.op_type() == "Conv" && groups == dims[0] && dims[1] == 1) return 0;  // depthwise
  if (node.op_type() == "ConvTranspose") return 0;
  if (node.op_type() == "Gemm" && integer_attribute(node, "transA", 0) == 0)
    return integer_attribute(node, "transB", 0) != 0 ? 1 : 0;
  return std::nullopt;
}

bool is_homogeneous(const pb::NodeProto& node) {
  const std::string& type = node.op_type();
  return type == "Relu" || type == "LeakyRelu" || type == "PRelu" || type == "MaxPool" ||
         type == "AveragePool" || type == "GlobalAveragePool" || type == "Identity";
}

void rename(std::string& name, const std::set<std::string>& which) {
  if (which.contains(name)) name = equalised_name(name);
}

void rename(pb::GraphProto& graph, const std::set<std::string>& which) {
  for (pb::NodeProto& node : *graph.mutable_node()) {
    for (std::string& name : *node.mutable_input()) rename(name, which);
    for (std::string& name : *node.mutable_output()) rename(name, which);
  }
  for (pb::TensorProto& tensor : *graph.mutable_initializer()) rename(*tensor.mutable_name(), which);
  for (pb::ValueInfoProto& value : *graph.mutable_value_info()) rename(*value.mutable_name(), which);
}

struct Pair {
  int first = 0, second = 0;  // nodes
  std::size_t output_axis = 0, input_axis = 0;
};

class Equaliser {
 public:
  explicit Equaliser(pb::GraphProto& graph) : graph_(graph), index_(graph) {}

  Result<Equalisation> run() {
    SLUICE_RETURN_IF_ERROR(read());
    find_pairs();
    Equalisation out;
    out.pairs = static_cast<int>(pairs_.size());
    out.spread_before = spread();
    for (int round = 0; round < kMostRounds; ++round) {
      double change = 0;
      for (const Pair& pair : pairs_) change = std::max(change, balance(pair));
      if (change < kSettled) break;
    }
    out.spread_after = spread();
    write();
    return out;
  }

 private:
  Status read();
  void find_pairs();
  std::optional<int> next_layer(const std::string& tensor) const;
  std::set<std::string> changed() const;
  double balance(const Pair& pair);
  double spread() const;
  void write();
  bool read_once(const std::string& weights) const { return index_.uses(weights).size() == 1; }
  const pb::NodeProto& reader_of(const std::string& tensor) const {
    return graph_.node(index_.uses(tensor)[0].node);
  }

  pb::GraphProto& graph_;
  const GraphIndex index_;
  std::map<int, Weights> layers_;  // by node
  std::vector<Pair> pairs_;
};

Status Equaliser::read() {
  for (int n = 0; n < graph_.node_size(); ++n) {
    const pb::NodeProto& node = graph_.node(n);
    const bool layer =
        node.op_type() == "Conv" || node.op_type() == "ConvTranspose" || node.op_type() == "Gemm";
    const pb::TensorProto* const weights =
        layer && node.input_size() > 1 ? index_.initializer(node.input(1)) : nullptr;
    if (!weights || weights->dims_size() < 2 || !read_once(node.input(1))) continue;
    Weights out{node.input(1), {}, {}, {}, dims_of(*weights)};
    SLUICE_ASSIGN(out.values, floats_of(*weights));
    if (node.input_size() > 2 && !node.input(2).empty()) {
      const pb::TensorProto* const bias = index_.initializer(node.input(2));
      if (!bias || !read_once(node.input(2)) || bias->dims_size() != 1) continue;
      out.bias = node.input(2);
      SLUICE_ASSIGN(out.bias_values, floats_of(*bias));
    }
    layers_.emplace(n, std::move(out));
  }
  return {};
}

std::optional<int> Equaliser::next_layer(const std::string& start) const {
  std::string tensor = start;
  while (index_.uses(tensor).size() == 1 && !index_.is_output(tensor)) {
    const Use use = index_.uses(tensor)[0];
    if (use.input != 0) return std::nullopt;
    if (layers_.contains(use.node)) return use.node;
    const pb::NodeProto& node = graph_.node(use.node);
    if (!is_homogeneous(node) || node.output_size() != 1) return std::nullopt;
    tensor = node.output(0);
  }
  return std::nullopt;
}

void Equaliser::find_pairs() {
  for (const auto& [n, weights] : layers_) {
    const auto second = next_layer(graph_.node(n).output(0));
    const auto output = output_axis(graph_.node(n));
    if (!second || !output) continue;
    const Weights& there = layers_.at(*second);
    const auto input = input_axis(graph_.node(*second), there.dims);
    if (!input || there.dims[*input] != weights.dims[*output]) continue;
    if (!weights.bias.empty() &&
        weights.bias_values.size() != static_cast<std::size_t>(weights.dims[*output]))
      continue;
    pairs_.push_back({n, *second, *output, *input});
  }
}

// Returns the largest relative change.
double Equaliser::balance(const Pair& pair) {
  Weights& first = layers_.at(pair.first);
  Weights& second = layers_.at(pair.second);
  const auto out = first.ranges(pair.output_axis), in = second.ranges(pair.input_axis);
  std::vector<double> down(out.size(), 1.0), up(out.size(), 1.0);
  double change = 0;
  for (std::size_t c = 0; c < out.size(); ++c) {
    if (out[c] <= 0 || in[c] <= 0) continue;  // a channel that is always zero, or that nobody reads
    up[c] = std::sqrt(out[c] / in[c]);
    down[c] = 1 / up[c];
    change = std::max(change, std::abs(up[c] - 1));
  }
  first.scale(pair.output_axis, down);
  for (std::size_t c = 0; c < first.bias_values.size(); ++c)
    first.bias_values[c] = static_cast<float>(first.bias_values[c] * down[c]);
  second.scale(pair.input_axis, up);
  return change;
}

double Equaliser::spread() const {
  double sum = 0;
  int layers = 0;
  for (const auto& [n, weights] : layers_) {
    const auto axis = output_axis(graph_.node(n));
    if (!axis) continue;
    std::vector<double> ranges = weights.ranges(*axis);
    std::erase_if(ranges, [](double r) { return r <= 0; });
    if (ranges.empty()) continue;
    std::sort(ranges.begin(), ranges.end());
    sum += std::log2(ranges.back() / ranges[ranges.size() / 2]);
    ++layers;
  }
  return layers == 0 ? 0 : sum / layers;
}

void Equaliser::write() {
  std::map<std::string, pb::TensorProto*> tensors;
  for (pb::TensorProto& tensor : *graph_.mutable_initializer()) tensors[tensor.name()] = &tensor;
  for (const auto& [n, weights] : layers_) {
    set_floats(*tensors.at(weights.name), weights.values);
    if (!weights.bias.empty()) set_floats(*tensors.at(weights.bias), weights.bias_values);
  }
  rename(graph_, changed());
}

// What holds other numbers than before: the weights of both layers, and what flows between them. Biases keep
// their names: nobody encodes or compares them by name.
std::set<std::string> Equaliser::changed() const {
  std::set<std::string> out;
  for (const Pair& pair : pairs_) {
    out.insert({layers_.at(pair.first).name, layers_.at(pair.second).name});
    const std::string& last = graph_.node(pair.second).input(0);
    for (std::string tensor = graph_.node(pair.first).output(0);; tensor = reader_of(tensor).output(0)) {
      out.insert(tensor);
      if (tensor == last) break;
    }
  }
  return out;
}

}  // namespace

Result<Equalisation> equalise(pb::GraphProto& graph) { return Equaliser(graph).run(); }

std::string equalised_name(const std::string& tensor) { return tensor + std::string(kEqualisedSuffix); }

bool is_equalised_name(std::string_view tensor) { return tensor.ends_with(kEqualisedSuffix); }

}  // namespace sluice::quantize
